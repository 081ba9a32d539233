"""Move an index to another search service: backup, restore, proof against the source, cut-over."""
