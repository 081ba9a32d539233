"""`make demo`: back up an index of a search service to Blob Storage and restore it to another service."""
