"""What keeps snapshots, apart from making them: schedules, retention, replication, scrubbing."""
