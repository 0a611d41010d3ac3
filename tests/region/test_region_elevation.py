"""Elevation against a plane, whose bilinear interpolation is exact."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.coordinates import transform
from catchment.errors import InputError, NotFoundError
from catchment.region.elevation import Elevation, read_elevation, sample

X0, Y0, SIDE = 413000.0, 3332000.0, 30.0


def plane(rows=40, columns=50) -> Elevation:
    r, c = np.mgrid[0:rows, 0:columns]
    heights = (500 + 2.0 * (c + 0.5) - 3.0 * (r + 0.5)).astype(np.float32)
    return Elevation(heights, (SIDE, 0.0, X0, 0.0, -SIDE, Y0), "EPSG:4544")


@settings(deadline=None, max_examples=60)
@given(st.floats(1.0, 48.0), st.floats(1.0, 38.0))
def test_a_plane_is_sampled_exactly(column, row):
    x, y = X0 + SIDE * column, Y0 - SIDE * row
    height = sample(plane(), [x], [y], "EPSG:4544")
    assert height[0] == pytest.approx(500 + 2 * column - 3 * row, abs=1e-3)
    lon, lat = transform([x], [y], "EPSG:4544", "WGS84")
    assert sample(plane(), lon, lat, "WGS84")[0] == pytest.approx(height[0], abs=1e-3)


def test_voids_and_the_outside_are_nan():
    elevation = plane()
    heights = elevation.heights.copy()
    heights[5, 5] = np.nan
    holed = Elevation(heights, elevation.transform, elevation.crs)
    columns = np.array([5.5, 5.5, 6.1, -0.2, 50.2, 0.1, 49.9])
    rows = np.array([5.5, 5.9, 5.5, 5.0, 5.0, 0.1, 39.9])
    found = sample(holed, X0 + SIDE * columns, Y0 - SIDE * rows, "EPSG:4544")
    assert np.isnan(found[[0, 1, 3, 4]]).all()
    assert np.isfinite(found[[2, 5, 6]]).all()
    # Beside a void the mean is of the pixels that are known.
    assert found[2] == pytest.approx(500 + 2 * 6.5 - 3 * 5.5, abs=1e-3)
    assert sample(holed, np.zeros((2, 3)) + X0 + 100, np.zeros((2, 3)) + Y0 - 100, 4544).shape == (
        2,
        3,
    )
    assert np.isnan(sample(holed, [np.nan], [0.0], 4544)).all()


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_reading_a_geotiff(tmp_path, dtype):
    path = tmp_path / "高程.tif"
    heights = np.array([[100, -32768, 300], [9999, 250, -9999]], dtype=dtype)
    with rasterio.open(
        path, "w", driver="GTiff", height=2, width=3, count=1, dtype=dtype, nodata=-32768,
        crs="EPSG:4490", transform=Affine(0.001, 0, 104, 0, -0.001, 31),
    ) as raster:  # fmt: skip
        raster.write(heights, 1)
    elevation = read_elevation(path)
    np.testing.assert_array_equal(
        elevation.heights, np.array([[100, np.nan, 300], [np.nan, 250, np.nan]], dtype=np.float32)
    )
    assert elevation.crs == "EPSG:4490"
    assert sample(elevation, [104.0025], [30.9995], "CGCS2000")[0] == pytest.approx(300)


def test_what_is_no_raster_is_refused(tmp_path):
    with pytest.raises(NotFoundError):
        read_elevation(tmp_path / "x.tif")
    fake = tmp_path / "y.tif"
    fake.write_text("<VRTDataset/>", encoding="utf-8")
    with pytest.raises(InputError, match="GeoTIFF"):
        read_elevation(fake)
    fake.write_bytes(b"II*\x00" + b"\x00" * 20)
    with pytest.raises(InputError, match="GeoTIFF"):
        read_elevation(fake)


@pytest.mark.filterwarnings("ignore:.*not.*georeferenced")
def test_a_raster_without_system_needs_one(tmp_path):
    path = tmp_path / "z.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=1, width=1, count=1, dtype="float32",
        transform=Affine(30, 0, 413000, 0, -30, 3332000),
    ) as raster:  # fmt: skip
        raster.write(np.ones((1, 1), dtype=np.float32), 1)
    with pytest.raises(InputError, match="坐标系"):
        read_elevation(path)
    assert read_elevation(path, crs="EPSG:4544").crs == "EPSG:4544"
