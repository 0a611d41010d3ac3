"""The planning workbench: a county's state, its server, its optimiser."""
