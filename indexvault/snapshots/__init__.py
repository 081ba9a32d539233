"""Snapshots at rest: the format, the stores, and what keeps them. Knows neither search nor workflows."""
