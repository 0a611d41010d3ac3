"""Ground floor: everything known about one county, read, checked and written."""
