"""What only a real service can tell: each assumption that nobody could confirm without one, and its check."""
