"""Restore a whole service from its snapshots: every object after what it refers to."""
