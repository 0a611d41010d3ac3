"""Parts of :mod:`catchment.optimise.layout`: one question each."""
