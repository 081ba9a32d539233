"""From a search service to a snapshot."""
