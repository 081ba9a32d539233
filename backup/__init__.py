"""The triggers of the Functions app that make and keep snapshots: timers and `POST /backups`."""
