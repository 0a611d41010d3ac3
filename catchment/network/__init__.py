"""First floor: roads, snapping, shortest paths and door-to-door travel times."""
