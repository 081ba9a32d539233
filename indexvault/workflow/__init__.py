"""Where workflows run."""
