"""A base map of the user's own lies where the county lies, under slides and page, offline."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import numpy as np
import pptx
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer
from rasterio.transform import Affine

from catchment.errors import InputError, NotFoundError
from catchment.run import Run
from catchment.views import charts
from catchment.views.base_map import overlay_of, read_base_map
from catchment.views.book import book_document
from catchment.views.deck import deck_bytes
from catchment.views.document import Picture
from catchment.views.facts import read_facts
from catchment.views.maps import write_map
from catchment.views.report import report_document
from tests.views.document_run import document_run

NUMBER = "黔S（2025）007号"
GREEN = (10, 200, 30)


@pytest.fixture(scope="module")
def run() -> Run:
    return document_run(villages=54)


@pytest.fixture(scope="module")
def picture(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Green all over the county, in degrees, with a white square at the first village."""
    path = tmp_path_factory.mktemp("base") / "底图.tif"
    west, south, east, north = bounds(run)
    colours = np.empty((3, 600, 800), np.uint8)
    colours[:] = np.array(GREEN, np.uint8)[:, None, None]
    with rasterio.open(
        path, "w", driver="GTiff", width=800, height=600, count=3, dtype="uint8", crs="EPSG:4326",
        transform=Affine((east - west) / 800, 0, west, 0, (south - north) / 600, north),
    ) as out:  # fmt: skip
        lon, lat = degrees(run)[0]
        row, column = (
            int((north - lat) / (north - south) * 600),
            int((lon - west) / (east - west) * 800),
        )
        colours[:, row - 6 : row + 7, column - 6 : column + 7] = 255
        out.write(colours)
    return path


def degrees(run: Run) -> np.ndarray:
    points = run.region.villages.geometry
    turn = Transformer.from_crs(run.region.crs, 4326, always_xy=True)
    return np.column_stack(turn.transform(points.x.to_numpy(), points.y.to_numpy()))


def bounds(run: Run) -> tuple[float, float, float, float]:
    at = degrees(run)
    (west, south), (east, north) = at.min(axis=0) - 0.3, at.max(axis=0) + 0.3
    return west, south, east, north


def test_the_picture_is_laid_where_it_belongs(run: Run, picture: Path) -> None:
    base = read_base_map(picture, run.region.crs, number=NUMBER)
    west, south, east, north = base.box
    first = run.region.villages.geometry.iloc[0]
    high, wide = base.picture.shape[:2]
    column = int((first.x - west) / (east - west) * wide)
    row = int((north - first.y) / (north - south) * high)
    assert (base.picture[row, column] > 240).all()
    aside = base.picture[row, column + 60].astype(int)
    assert np.abs(aside - GREEN).max() < 12
    assert base.number == NUMBER


def test_page_holds_the_picture_and_stays_offline(run: Run, picture: Path, tmp_path: Path) -> None:
    overlay = overlay_of(picture, number=NUMBER)
    page = write_map(run, tmp_path / "map.html", base=overlay).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="[^"]+">(.*?)</script>', page)
    assert found
    data = json.loads(found.group(1))
    assert data["picture"]["src"].startswith("data:image/jpeg;base64,")
    assert data["picture"]["number"] == NUMBER
    west, south, east, north = bounds(run)
    assert np.allclose(data["picture"]["bounds"], [[south, west], [north, east]], atol=0.01)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert "img-src data:;" in policy.group(1)
    assert "http" not in policy.group(1)


def test_slides_are_drawn_on_it(run: Run, picture: Path) -> None:
    base = read_base_map(picture, run.region.crs, number=NUMBER)
    for number in (2, 4):
        slides = [pptx.Presentation(io.BytesIO(c)).slides[number] for c in
                  (deck_bytes(run), deck_bytes(run, base=base))]  # fmt: skip
        bare, drawn = (
            Image.open(io.BytesIO(next(s.image.blob for s in slide.shapes if s.shape_type == 13)))
            .convert("RGB")
            for slide in slides
        )  # fmt: skip
        edge = drawn.getpixel((25, drawn.height // 4))
        assert np.abs(np.array(edge) - GREEN).max() < 14
        assert bare.getpixel((25, bare.height // 4)) == (255, 255, 255)


def test_report_and_book_are_drawn_on_it(run: Run, picture: Path, tmp_path: Path) -> None:
    """Every map of report and book: county, township, area and school."""
    base = read_base_map(picture, run.region.crs, number=NUMBER)
    for make in (report_document, book_document):
        bare, laid = ([b for b in make(run, base=each).blocks if isinstance(b, Picture)]
                      for each in (None, base))  # fmt: skip
        assert len(bare) == len(laid) > 2
        greens = [green(p.png) for p in laid]
        charts_of_figures = sum(a.png == b.png for a, b in zip(bare, laid, strict=True))
        assert charts_of_figures <= 2
        assert sum(share > 0.15 for share in greens) == len(laid) - charts_of_figures
        assert max(green(p.png) for p in bare) < 0.05


def test_a_window_beside_the_picture_is_drawn_without_it(run: Run, picture: Path) -> None:
    base = read_base_map(picture, run.region.crs)
    west, south, east, north = base.box
    far = dataclasses.replace(base, box=(west - 9e5, south, east - 9e5, north))
    facts = read_facts(run)
    assert green(charts.county_map(run, facts, lang="zh", base=far)) < 0.05


def green(png: bytes) -> float:
    """Share of a picture that is greener than anything the maps draw themselves."""
    colours = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    return float(((colours[..., 1] - np.maximum(colours[..., 0], colours[..., 2])) > 40).mean())


def test_what_has_no_place_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "b.tif").write_bytes(b"not a picture")
    with pytest.raises(InputError, match="坐标"):
        read_base_map(tmp_path / "a.png", "EPSG:4544")
    with pytest.raises(InputError, match="GeoTIFF"):
        read_base_map(tmp_path / "b.tif", "EPSG:4544")
    with pytest.raises(NotFoundError):
        read_base_map(tmp_path / "c.tif", "EPSG:4544")
