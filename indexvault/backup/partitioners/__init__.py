"""The ways to read an index, one module each: which indexes they fit, and how they cut one into parts."""
