"""Chapters of the report about the whole county, one module each."""
