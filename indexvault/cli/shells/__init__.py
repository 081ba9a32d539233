"""Completion of command lines by bash, zsh and fish."""
