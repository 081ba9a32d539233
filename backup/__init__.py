"""The Functions app's triggers that make and keep snapshots: timers and `POST /backups`."""
