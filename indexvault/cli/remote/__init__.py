"""A deployment's API as the command line uses it with --url."""
