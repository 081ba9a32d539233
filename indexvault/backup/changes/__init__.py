"""Read only what a field says was changed, find what was deleted, and merge both into the last snapshot."""
