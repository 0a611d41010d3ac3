"""The invented county of the demo: terrain, roads, settlements, schools and their files."""
