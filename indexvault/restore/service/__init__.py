"""A whole service from its snapshots: every object in the order in which one needs another."""
