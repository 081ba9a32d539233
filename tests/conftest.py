"""Fixtures that every room's tests may ask for."""

from tests.azurite import azurite, storage_account

__all__ = ["azurite", "storage_account"]
