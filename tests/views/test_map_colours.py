"""Colours of the map as seen with protanopia, deuteranopia, tritanopia and in grey, measured."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from catchment.views.page import asset

# Machado, Oliveira and Fernandes (2009), severity 1, on linear sRGB.
EYES = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
PAPER = "#FBFAF6"


def palette(name: str) -> list[str]:
    """Colours of a list in the drawing module."""
    text = asset("draw.js")
    found = re.search(rf"\b{name}\s*[=:]\s*\[([^\]]+)\]", text)
    assert found, name
    return re.findall(r"#[0-9A-Fa-f]{6}", found.group(1))


def linear(colour: str) -> np.ndarray:
    v = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def faded(colour: str, share: float) -> str:
    """Colour laid on paper with some opacity, as the canvas does."""
    mix = [
        round(share * int(colour[k : k + 2], 16) + (1 - share) * int(PAPER[k : k + 2], 16))
        for k in (1, 3, 5)
    ]
    return "#" + "".join(f"{c:02X}" for c in mix)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
         [0.0193339, 0.1191920, 0.9503041]]
    ) @ np.clip(rgb, 0, 1) / np.array([0.95047, 1.0, 1.08883])  # fmt: skip
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(a: str, b: str, eye: str) -> float:
    matrix = np.asarray(EYES[eye])
    return float(np.linalg.norm(lab(matrix @ linear(a)) - lab(matrix @ linear(b))))


def grey(colour: str) -> float:
    return float(lab(linear(colour))[0])


@pytest.mark.parametrize("eye", EYES)
def test_catchments_and_modes_can_be_told_apart(eye: str) -> None:
    for colours, share, least in ((palette("LADDER"), 0.5, 12), (palette("modes"), 0.82, 25)):
        shown = [faded(c, share) for c in colours]
        for a, b in itertools.combinations(shown, 2):
            assert apart(a, b, eye) > least, (a, b)


@pytest.mark.parametrize("eye", EYES)
def test_minutes_and_changes_are_steps_everyone_sees(eye: str) -> None:
    within, over = palette("WITHIN"), palette("OVER")
    for ladder, least in (([*within, *over], 12), (palette("CHANGE"), 8)):
        shown = [faded(c, 0.82) for c in ladder]
        for a, b in itertools.pairwise(shown):
            assert apart(a, b, eye) > least, (a, b)
    # What is over the limit is never taken for what is within.
    for a, b in itertools.product(within, over):
        assert apart(faded(a, 0.82), faded(b, 0.82), eye) > 25


def test_in_grey_longer_is_darker() -> None:
    ladder = [faded(c, 0.82) for c in (*palette("WITHIN"), *palette("OVER"))]
    light = [grey(c) for c in ladder]
    assert light == sorted(light, reverse=True)
    assert min(a - b for a, b in itertools.pairwise(light)) > 4
    for a, b in itertools.combinations([grey(faded(c, 0.5)) for c in palette("LADDER")], 2):
        assert abs(a - b) > 6
