"""Restore snapshots to a search service."""
