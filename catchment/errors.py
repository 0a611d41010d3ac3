"""Errors that name layer, row, value and remedy, so that a person can act on them."""

from __future__ import annotations


class CatchmentError(Exception):
    """Base of every error this package raises on purpose; its text is shown to people as it is."""


class InputError(CatchmentError, ValueError):
    """A layer, a table or a recipe holds something that cannot be used."""


class NotFoundError(CatchmentError, LookupError):
    """Something named (a school, a village, a layer, a file) does not exist."""


class InfeasibleError(CatchmentError, ValueError):
    """No plan can meet the demands; the text names the villages, schools and limits at fault."""
