"""From one search service to another: a backup, a restore, a proof against the source, a cut-over."""
