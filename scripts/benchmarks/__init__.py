"""Benchmark cases, one module a theme."""
