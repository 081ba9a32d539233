"""Fixtures that every room's tests may ask for."""

from tests.azurite import azurite, storage_account
from tests.watch import providers, watch

__all__ = ["azurite", "providers", "storage_account", "watch"]
