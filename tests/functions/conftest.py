"""The real app in a process of its own, between two emulated services and Azurite."""

from tests.functions.app import app, asked, ground

__all__ = ["app", "asked", "ground"]
