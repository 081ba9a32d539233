"""Write the JSON schema of the settings, from the types that read them, for editors to complete and check by.

scripts/settings_schema.py indexvault/settings/indexvault.schema.json
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from indexvault.model import CONFIGURED_NAME
from indexvault.settings.model import Settings
from scripts.settings_page import KINDS, fields, meanings, paragraphs

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMED = ("stores", "services", "policies", "pairs", "overlays")
"""Members of the settings whose own members have names that an operator chooses."""
_SIX_FIELDS = r"^\s*\S+(\s+\S+){5}\s*$"


def main(file: str) -> None:
    """Write the schema."""
    Path(file).write_text(text(), encoding="utf-8")


def text() -> str:
    """Return the schema. Raises LookupError for a member that no docstring explains."""
    schema = msgspec.json.schema(Settings)
    kinds: dict[str, Any] = schema["$defs"]
    for kind in KINDS:
        _explain(kinds[kind.__name__], kind)
    _add_what_the_reader_checks(kinds)
    whole = {
        "$schema": _DIALECT,
        "title": "Settings of indexvault",
        "$ref": schema["$ref"],
        "$defs": {name: kinds[name] for name in sorted(kinds)},
    }
    return json.dumps(whole, indent=2) + "\n"


def _explain(found: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Add what the docstrings say, and leave out default values that say nothing."""
    found["description"] = paragraphs(kind.__doc__ or "")
    del found["title"]
    said = meanings(kind)
    for field in fields(kind):
        member = found["properties"][field.encode_name]
        if isinstance(member.get("default"), dict | list | None) and member.get("default") != ["*"]:
            member.pop("default", None)
        member["description"] = said[field.name].partition(" Source: ")[0]


def _add_what_the_reader_checks(kinds: dict[str, Any]) -> None:
    """Add what `read_settings` asks for beyond the types, as far as a schema can say it."""
    settings = kinds["Settings"]
    for name in _NAMED:
        settings["properties"][name]["propertyNames"] = {"pattern": f"^{CONFIGURED_NAME}$"}
    meaning = "The JSON schema of these settings, for editors; indexvault does not read it."
    settings["properties"] = {"$schema": {"type": "string", "description": meaning}, **settings["properties"]}
    kinds["StoreSettings"]["oneOf"] = [
        {"required": ["account_url"], "properties": {"account_url": {"type": "string"}}},
        {"required": ["connection_string"], "properties": {"connection_string": {"type": ["string", "object"]}}},
    ]
    kinds["PolicySettings"]["properties"]["schedule"]["pattern"] = _SIX_FIELDS


if __name__ == "__main__":
    main(*sys.argv[1:])
