"""The ways to cut a partition into pieces that fit one answer each, one module each."""
