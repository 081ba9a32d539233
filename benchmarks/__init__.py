"""Measurements: each is a program, `python -m benchmarks.NAME`."""
