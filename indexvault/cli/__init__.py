"""The operator's command line, `indexvault`."""
