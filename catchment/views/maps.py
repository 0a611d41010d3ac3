"""The interactive map of a run: one file that opens without a network. The only importer of folium.

Folium builds the page; every script and style is taken from the package, the data is one JSON
block, and a strict policy allows exactly the scripts in the page.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import branca.element
import folium

from catchment.errors import CatchmentError, InputError
from catchment.views.origin import origin, printed_foot
from catchment.views.page import LANGS, POLICY_MARK, asset, data_block, style, write_page
from catchment.views.payload import map_payload, text

if TYPE_CHECKING:
    from catchment.run import Run

_VENDORED = "vendored:"
_SCRIPTS = ("leaflet/leaflet.js", "common.js", "draw.js")
_STYLES = ("leaflet/leaflet.css", "map.css")
_MAP_ID = "map_a"
_DATA_ID = "catchment-data"
_DATA_MARK = "<!--data-->"
_OSM = "https://tile.openstreetmap.org"
_TIANDITU = "https://t0.tianditu.gov.cn"


class _Map(folium.Map):
    """A folium map made of the package's own files alone.

    Folium's lists of links are class attributes that any map may add to, so each map has its own.
    """

    _template = folium.template.Template(
        """
        {% macro header(this, kwargs) %}
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="referrer" content="strict-origin-when-cross-origin">
        {% endmacro %}
        {% macro html(this, kwargs) %}{{ this.page }}{% endmacro %}
        {% macro script(this, kwargs) %}
            var {{ this.get_name() }} = L.map({{ this.get_name()|tojson }}, {
                center: {{ this.location|tojson }}, ...{{ this.options|tojavascript }}
            });
        {% endmacro %}
        """
    )

    def __init__(self, page: str, scripts: Sequence[str], **options: Any) -> None:
        super().__init__(
            location=(0.0, 0.0),
            zoom_start=3,
            tiles=None,
            prefer_canvas=True,
            zoom_snap=0.25,
            zoom_delta=0.5,
            wheel_px_per_zoom_level=90,
            max_zoom=18,
            **options,
        )
        self._id = "a"
        self._name = "map"
        self.page = page.replace("<!--map-->", f'<div class="folium-map" id="{_MAP_ID}"></div>')
        self.default_js = [(s, f"{_VENDORED}{s}") for s in (*_SCRIPTS, *scripts)]
        self.default_css = [(s, f"{_VENDORED}{s}") for s in _STYLES]

    def figure(self) -> branca.element.Figure:
        """Page the map is in."""
        root = self.get_root()
        assert isinstance(root, branca.element.Figure)
        return root

    def render(self, **kwargs: Any) -> str:
        """Render with every link replaced by the file it stands for."""
        super().render(**kwargs)  # type: ignore[no-untyped-call]
        for link in self.figure().header._children.values():
            if isinstance(link, branca.element.Link):
                link.code = _vendored(link.url)  # type: ignore[assignment]
        return ""


class _Drawing(branca.element.MacroElement):
    """The place of the data and the call that draws it.

    Branca compiles what it has rendered as a template once more, so text of the data must never
    pass through it: the data is put in its place afterwards.
    """

    _template = folium.template.Template(
        """
        {% macro html(this, kwargs) %}{{ this.mark }}{% endmacro %}
        {% macro script(this, kwargs) %}
            {{ this.start }}({{ this._parent.get_name() }}, {{ this.block|tojson }});
        {% endmacro %}
        """
    )

    def __init__(self, start: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._id = "drawing"
        self._name = "drawing"
        self.start = start
        self.block = _DATA_ID
        self.mark = _DATA_MARK


def write_map(
    run: Run,
    path: Path,
    *,
    lang: str = "zh",
    tiles: str | None = None,
    tianditu_key: str | None = None,
    base: Mapping[str, Any] | None = None,
) -> Path:
    """Write the planner's map of a run as one file that needs nothing else.

    Parameters
    ----------
    run : Run
        A whole run.
    path : Path
        The ``.html`` file wanted.
    lang : {"zh", "en"}
        Language the page opens in; it can be switched in the page.
    tiles : {"osm", "tianditu"}, optional
        Base map from the web. Left out, the page never uses the network.
    tianditu_key : str, optional
        The user's own key, needed for ``tiles="tianditu"``. It is readable in the file.
    base : mapping, optional
        The user's own base map, as of :func:`catchment.views.base_map.overlay_of`; it is kept in
        the page, which stays offline.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        When the language or the base map is unknown, or the key is missing or malformed.
    CatchmentError
        When the file cannot be written.
    """
    if lang not in LANGS:
        raise InputError(f"语言 {lang!r} 不支持；请用 zh 或 en / language must be zh or en")
    online, hosts = _base_map(tiles, tianditu_key)
    payload = {**map_payload(run, lang=lang), **origin(run)}
    if online:
        payload["tiles"] = online
    if base:
        payload["picture"] = dict(base)
    title = f"{text(run.region.name)} · {text(run.name)}"
    return write_drawn(
        "Catchment.start",
        asset("map.html"),
        ["whatif.js", "trial.js", "map.js"],
        payload,
        title,
        path,
        hosts,
        css=printed_foot(run, base=str((base or {}).get("number") or "")),
    )


def write_drawn(
    start: str,
    page: str,
    scripts: Sequence[str],
    payload: dict[str, Any],
    title: str,
    path: Path,
    hosts: Sequence[str] = (),
    *,
    css: str = "",
) -> Path:
    """Write a page with a map that the package's own module draws.

    Parameters
    ----------
    start : str
        Function of the module that draws.
    page : str
        Body of the page, with ``<!--map-->`` where the map goes.
    scripts : sequence of str
        Modules, besides those of every map.
    payload : dict
        What is drawn.
    title : str
        Title of the page, as text.
    path : Path
        The file wanted.
    hosts : sequence of str
        Origins of map tiles.
    css : str
        A style sheet beside the shipped ones, with no text of the data that is not escaped.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    CatchmentError
        When the page would need something that is not shipped, or cannot be written.
    """
    leaflet = _Map(page, scripts, attribution_control=bool(hosts))
    leaflet.add_child(_Drawing(start))
    figure = leaflet.figure()
    figure.title = html.escape(title)
    figure.header.add_child(branca.element.Element(POLICY_MARK), name="policy")
    if css:
        figure.header.add_child(branca.element.Element(f"<style>{css}</style>"), name="foot")
    before, _, after = figure.render(embedded=True).partition(_DATA_MARK)
    page = before + data_block(_DATA_ID, payload) + after
    return write_page(page, path, pictures=hosts)


def _vendored(url: str) -> str:
    """Text of a shipped file; any other address is refused."""
    if not url.startswith(_VENDORED):
        raise CatchmentError(
            f"地图引用了未随包提供的文件 {url} / the map refers to a file that is not shipped: {url}"
        )
    name = url.removeprefix(_VENDORED)
    if name.endswith(".css"):
        return style(name)
    lines = asset(name).splitlines()
    return "\n".join(line for line in lines if not line.startswith("//# sourceMappingURL="))


def _base_map(tiles: str | None, key: str | None) -> tuple[dict[str, Any] | None, list[str]]:
    """Tile layers and the hosts they come from."""
    if tiles is None:
        return None, []
    if tiles == "osm":
        layers = [{"url": f"{_OSM}/{{z}}/{{x}}/{{y}}.png"}]
        return {"layers": layers, "min": 0, "max": 19, "attribution": "© OpenStreetMap"}, [_OSM]
    if tiles == "tianditu":
        if not key or not key.isalnum():
            raise InputError(
                "使用天地图需要您自己的密钥（字母和数字） / "
                "Tianditu needs your own key (letters and digits): tianditu_key"
            )
        layers = [
            {
                "url": f"{_TIANDITU}/{name}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0"
                f"&LAYER={name}&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles"
                f"&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}&tk={key}"
            }
            for name in ("vec", "cva")
        ]
        return {"layers": layers, "min": 1, "max": 18, "attribution": "© 天地图"}, [_TIANDITU]
    raise InputError(f"底图 {tiles!r} 不支持；请用 osm 或 tianditu / unknown base map {tiles!r}")
