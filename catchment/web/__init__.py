"""Door: the planning workbench in the browser."""
