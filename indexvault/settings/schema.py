"""The JSON schema of the settings, which editors complete and check a settings file by."""

from importlib.resources import files

SCHEMA_NAME = "indexvault.schema.json"
"""The schema's file, in this package and beside the settings that refer to it."""


def schema_text() -> str:
    """Return the schema's JSON, as `make settings-page` has written it from the types of the settings."""
    return files(__package__ or "").joinpath(SCHEMA_NAME).read_text(encoding="utf-8")
