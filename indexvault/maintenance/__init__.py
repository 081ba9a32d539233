"""Keep snapshots, apart from making them: schedules, replication, retention, scrubbing, forgetting old runs."""
