"""The story that `make demo` tells: one index leaves a search service, rests in Blob Storage and comes back."""
