"""What is so, judged: each index's snapshots against its recovery point, runs, and copies in other stores."""
