"""The HTTP API of the Functions app: what all endpoints share, and the endpoints for snapshots, runs and health."""
