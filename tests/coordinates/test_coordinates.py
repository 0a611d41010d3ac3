"""Coordinates against PROJ, published vectors and themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer

from catchment.coordinates import (
    bd09_to_wgs84,
    gauss_krueger_epsg,
    gcj02_to_wgs84,
    metric_crs,
    parse_crs,
    to_lonlat,
    transform,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)
from catchment.errors import InputError

GEOD = Geod(ellps="WGS84")
china_lon = st.floats(73.6, 134.7)
china_lat = st.floats(4.0, 53.5)


def apart(lon1, lat1, lon2, lat2) -> float:
    return float(np.max(GEOD.inv(lon1, lat1, lon2, lat2)[2]))


@pytest.mark.parametrize(
    ("spelt", "name", "offset"),
    [
        ("EPSG:4490", "EPSG:4490", "none"),
        ("epsg：4549", "EPSG:4549", "none"),
        ("4528", "EPSG:4528", "none"),
        ("CGCS2000", "EPSG:4490", "none"),
        ("国家2000坐标系", "EPSG:4490", "none"),
        ("2000国家大地坐标系", "EPSG:4490", "none"),
        ("ＷＧＳ－８４", "EPSG:4326", "none"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "none"),
        ("urn:ogc:def:crs:EPSG::4490", "EPSG:4490", "none"),
        ("GCJ-02", "GCJ-02", "gcj02"),
        ("gcj02", "GCJ-02", "gcj02"),
        ("火星坐标系", "GCJ-02", "gcj02"),
        ("高德地图", "GCJ-02", "gcj02"),
        ("BD-09", "BD-09", "bd09"),
        ("百度坐标", "BD-09", "bd09"),
        ("CGCS2000 3度带 中央经线120", "EPSG:4549", "none"),
        ("CGCS2000_3_Degree_GK_CM_120E", "EPSG:4549", "none"),
        ("CGCS2000_3_Degree_GK_Zone_40", "EPSG:4528", "none"),
        ("高斯三度带第40带", "EPSG:4528", "none"),
        ("CGCS2000 6度带 中央子午线117", "EPSG:4509", "none"),
        ("CGCS2000 / Gauss-Kruger zone 20", "EPSG:4498", "none"),
        ("西安80坐标系", "EPSG:4610", "none"),
        ("EPSG:27700", "EPSG:27700", "none"),
    ],
)
def test_names_of_systems(spelt, name, offset):
    found = parse_crs(spelt)
    assert (found.name, found.offset) == (name, offset)
    assert parse_crs(found) is found


@pytest.mark.parametrize("code", range(4491, 4555))
def test_every_gauss_krueger_code_is_found_by_its_own_name(code):
    assert parse_crs(CRS.from_epsg(code).name).name == f"EPSG:{code}"


@pytest.mark.parametrize("text", ["", "本地坐标", "nonsense", "EPSG:999999"])
def test_unknown_names_are_refused_with_a_remedy(text):
    with pytest.raises(InputError, match="EPSG"):
        parse_crs(text)


def test_vertical_and_geocentric_systems_are_refused():
    for text in ("EPSG:5703", "EPSG:4978"):
        with pytest.raises(InputError):
            parse_crs(text)


def test_published_gauss_krueger_example():
    east, north = transform(120.2, 30.3, "EPSG:4490", "EPSG:4549")
    assert (float(east), float(north)) == pytest.approx((519238.969, 3353386.832), abs=0.001)
    east, north = transform(120.2, 30.3, "CGCS2000", 4528)
    assert float(east) == pytest.approx(40519238.969, abs=0.001)


@settings(deadline=None, max_examples=60)
@given(st.integers(4491, 4554), st.floats(-1.4, 1.4), st.floats(5.0, 53.0))
def test_transform_is_proj_with_east_first(code, away, lat):
    meridian = CRS.from_epsg(code).coordinate_operation.params[1].value
    lon = meridian + away
    oracle = Transformer.from_crs(4490, code, always_xy=True).transform(lon, lat)
    found = transform([lon], [lat], "CGCS2000", code)
    assert found[0][0] == pytest.approx(oracle[0], abs=1e-4)
    assert found[1][0] == pytest.approx(oracle[1], abs=1e-4)
    back = to_lonlat(*found, code)
    assert apart(back[0], back[1], [lon], [lat]) < 0.001


@pytest.mark.parametrize(
    ("wgs", "gcj"),
    [
        # Published vectors of two independent libraries.
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
        ((116.404, 39.915), (116.41024449916938, 39.91640428150164)),
    ],
)
def test_published_gcj_vectors(wgs, gcj):
    assert apart(*wgs84_to_gcj02(*wgs), *gcj) < 0.01
    assert apart(*gcj02_to_wgs84(*gcj), *wgs) < 0.01


def test_published_bd_vectors():
    # Two independent libraries; their inverse is one step of the approximation.
    assert (
        apart(*transform(116.404, 39.915, "GCJ-02", "BD-09"), 116.41036949371029, 39.92133699351021)
        < 0.01
    )
    assert (
        apart(*transform(116.404, 39.915, "BD-09", "GCJ-02"), 116.39762729119315, 39.90865673957631)
        < 1.0
    )
    assert apart(*bd09_to_wgs84(123.0, 45.0), 122.98762210, 44.99171540) < 1.0


@settings(deadline=None, max_examples=200)
@given(china_lon, china_lat)
def test_offsets_are_undone_to_a_millimetre(lon, lat):
    for forward, inverse in ((wgs84_to_gcj02, gcj02_to_wgs84), (wgs84_to_bd09, bd09_to_wgs84)):
        moved = forward(lon, lat)
        assert 1.0 < apart(*moved, lon, lat) < 1700.0
        assert apart(*inverse(*moved), lon, lat) < 0.001


@settings(deadline=None, max_examples=50)
@given(st.floats(-180, 71), st.floats(-80, 80))
def test_no_offset_outside_china(lon, lat):
    for function in (wgs84_to_gcj02, gcj02_to_wgs84, wgs84_to_bd09, bd09_to_wgs84):
        x, y = function(lon, lat)
        assert (float(x), float(y)) == (lon, lat)


def test_offsets_keep_shape_and_nan_and_leave_their_arguments_alone():
    lon = np.array([[104.0, np.nan], [105.0, 0.0]])
    lat = np.array([[30.0, 30.0], [31.0, 0.0]])
    kept = lon.copy()
    x, y = gcj02_to_wgs84(lon, lat)
    assert x.shape == y.shape == (2, 2)
    assert np.isnan(x[0, 1])
    assert (x[1, 1], y[1, 1]) == (0.0, 0.0)
    np.testing.assert_array_equal(lon, kept)


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (120.2, 30.3, 4549),
        (104.0, 30.6, 4544),
        (73.9, 39.5, 4534),
        (134.9, 48.0, 4554),
        (106.5, 29.5, 4545),
        (-0.7, 52.65, 32630),
        (121.0, 22.7, 4549),
        (18.4, -33.9, 32734),
        (180.0, 10.0, 32660),
        (15.0, 86.0, 5041),
    ],
)
def test_one_metric_system_for_a_county(lon, lat, code):
    assert metric_crs(lon, lat).to_epsg() == code


@settings(deadline=None, max_examples=60)
@given(st.floats(74, 134), st.floats(5, 53))
def test_metric_system_hardly_stretches(lon, lat):
    crs = metric_crs(lon, lat)
    x, y = transform([lon, lon + 0.01], [lat, lat], "WGS84", crs)
    true = GEOD.inv(lon, lat, lon + 0.01, lat)[2]
    assert np.hypot(x[1] - x[0], y[1] - y[0]) == pytest.approx(true, rel=4e-4)


def test_metric_system_of_no_place_is_refused():
    for lon, lat in ((float("nan"), 1.0), (200.0, 0.0), (0.0, 95.0)):
        with pytest.raises(InputError):
            metric_crs(lon, lat)


@pytest.mark.parametrize(
    ("easting", "code", "zone"),
    [
        (40519238.969, 4528, 40),
        (35400000.0, 4523, 35),
        (25500000.0, 4513, 25),
        (45500000.0, 4533, 45),
        (20500000.0, 4498, 20),
        (519238.9, None, None),
        (104.1, None, None),
        (99999999.0, None, None),
        (float("nan"), None, None),
    ],
)
def test_zone_in_front_of_an_easting(easting, code, zone):
    hint = gauss_krueger_epsg(easting)
    assert (hint.epsg, hint.zone) == (code, zone)


def test_missing_meridian_is_said():
    assert "中央经线" in gauss_krueger_epsg(519238.9).message
    assert "central meridian" in gauss_krueger_epsg(519238.9).message


def test_transform_between_two_offset_systems():
    x, y = transform(104.0, 30.0, "GCJ-02", "BD-09")
    assert apart(*transform(x, y, "BD-09", "GCJ-02"), 104.0, 30.0) < 0.001
    same = transform(104.0, 30.0, "GCJ-02", "GCJ-02")
    assert (float(same[0]), float(same[1])) == (104.0, 30.0)


def test_a_place_that_a_system_does_not_have_is_nan():
    x, y = transform([104.0, 400.0], [30.0, 95.0], "WGS84", "EPSG:4544")
    assert np.isfinite([x[0], y[0]]).all()
    assert np.isnan([x[1], y[1]]).all()
