"""One module a verb, each with `run`: what was asked in, the exit code out."""
