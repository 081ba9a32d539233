"""Workflows and activities: how they are called, locked, recorded and resumed, and the hosts that run them."""
