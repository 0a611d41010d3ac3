"""Kernel: who goes where and what stays open, on plain arrays."""
