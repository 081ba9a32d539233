"""The verbs, one module each. A module's `COMMAND` has the arguments, the request and the run."""
