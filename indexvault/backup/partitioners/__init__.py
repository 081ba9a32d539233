"""The ways to divide an index into partitions, one module each."""
