"""The HTTP API of the Functions app: what all endpoints share, and those that belong to no workflow."""
