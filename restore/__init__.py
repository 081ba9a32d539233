"""The HTTP endpoints of the Functions app that write to a search service: `POST /restores` and `POST /moves`."""
