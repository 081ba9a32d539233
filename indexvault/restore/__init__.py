"""From a snapshot to a search service."""
