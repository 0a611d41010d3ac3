"""The class formation of the map page against that of the package, in the same browser engine."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np

from catchment.places import form_classes


def test_the_page_forms_classes_as_the_package_does(browser: Any) -> None:
    source = files("catchment.views").joinpath("assets", "whatif.js").read_text(encoding="utf-8")
    first = source.index("  function before(a, b)")
    last = source.index("  /* Classes as [lowest grade")
    rng = np.random.default_rng(1)
    cases = []
    for _ in range(800):
        g = int(rng.integers(1, 9))
        count = rng.integers(0, 150, g).tolist()
        size = rng.choice([30, 45, 50], g).tolist()
        rooms, combined = int(rng.integers(0, 20)), bool(rng.integers(0, 2))
        formed = form_classes(count, rooms, size, combined=combined).tolist()
        cases.append([count, rooms, size, combined, formed])
    page = browser.new_page()
    try:
        wrong = page.evaluate(
            "([source, cases]) => { const form = new Function(source + 'return form;')();"
            " return cases.filter(c => JSON.stringify(form(c[0], c[1], c[2], c[3])) !=="
            " JSON.stringify(c[4])); }",
            [source[first:last], cases],
        )
    finally:
        page.close()
    assert wrong == []
