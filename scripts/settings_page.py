"""Write docs/settings.md: every member of the settings, from the types that read them.

scripts/settings_page.py docs/settings.md
"""

import ast
import inspect
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import inspect as types

from indexvault.settings import model
from indexvault.snapshots.retention import Retention, TaggedRetention

_HEAD = """# Settings

The members of the settings file, `indexvault.json`. `make settings-page` writes this page from the types that read
them. The [README](../README.md#a-first-backup-of-your-own-service) has an example and says where a command finds the
file; the Functions app reads what `INDEXVAULT_CONFIG` holds or points to. An unknown or wrong member is an error, which
names the file, the line and the member. Durations are in ISO 8601: `P90D` is ninety days, `PT36H` is 36 hours.

`indexvault init` writes a first settings file, and beside it `indexvault.schema.json`, the JSON schema of these members
([in the package](../indexvault/settings/indexvault.schema.json)). The settings refer to it in their first member,
`"$schema": "./indexvault.schema.json"`. Visual Studio Code, JetBrains' editors and any other with a JSON language
server then complete names and values, show the texts below, and mark what is wrong. `indexvault init --schema` writes
the schema alone: beside a file of your own, or again after an upgrade. Only `indexvault check` tells what a schema
can't say, such as a policy whose service is not there.
"""
_SECTIONS: tuple[tuple[type[msgspec.Struct], str], ...] = (
    (model.Settings, "The file"),
    (model.StoreSettings, "A store"),
    (model.StoreIdentities, "Identities of a store"),
    (model.ServiceSettings, "A service"),
    (model.ThrottleSettings, "Pressure on a service"),
    (model.PolicySettings, "A policy"),
    (model.ChangesSettings, "Reading by changes"),
    (Retention, "What a policy keeps"),
    (TaggedRetention, "What a policy keeps of a tag"),
    (model.DrillSettings, "A drill"),
    (model.DrillQuery, "A query of a drill"),
    (model.PairSettings, "A pair"),
    (model.RequestLimits, "Limits of requests"),
    (model.AlertSettings, "Alerts"),
    (model.WebhookSettings, "A webhook"),
    (model.PriceSettings, "Prices"),
    (model.EnvironmentSecret, "A secret"),
)
_TITLES = dict(_SECTIONS)
KINDS = tuple(_TITLES)
"""The types of the settings."""
_OVERLAYS = "[overlays](restore.md#secrets)"


def main(page: str) -> None:
    """Write the page."""
    Path(page).write_text(text(), encoding="utf-8")


def text() -> str:
    """Return the page. Raises LookupError for a member that no docstring explains."""
    return _HEAD + "".join(map(_section, _TITLES))


def _section(kind: type[msgspec.Struct]) -> str:
    said = meanings(kind)
    rows = []
    for field in fields(kind):
        meaning = said[field.name].partition(" Source: ")[0]
        rows.append(f"| `{field.encode_name}` | {_value(field.type)} | {_default(field)} | {meaning} |\n")
    head = "\n| member | value | if left out | meaning |\n|-|-|-|-|\n"
    return f"\n## {_TITLES[kind]}\n\n{paragraphs(kind.__doc__ or '')}\n{head}{''.join(rows)}"


def fields(kind: type[msgspec.Struct]) -> tuple[types.Field, ...]:
    """Return the members of a type."""
    return cast("types.StructType", types.type_info(kind)).fields


def meanings(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the docstrings of a type's members, inherited ones too: each is the text that follows it in the source."""
    base = kind.__base__
    body = cast("ast.ClassDef", ast.parse(inspect.getsource(kind)).body[0]).body
    inherited = meanings(base) if base is not None and base is not msgspec.Struct else {}
    return inherited | {
        ast.unparse(member.target): " ".join(ast.literal_eval(after.value).split())
        for member, after in pairwise(body)
        if isinstance(member, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }


def paragraphs(docstring: str) -> str:
    """Return a docstring with a line for each paragraph."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(docstring).split("\n\n"))


def _value(kind: Any) -> str:  # noqa: C901, PLR0911, PLR0912 - a case for each type
    """Return what a member may be, in words."""
    match kind:
        case types.UnionType(types=several):
            return " or ".join(_value(each) for each in several if not isinstance(each, types.NoneType))
        case types.Metadata(type=inner):
            return _value(inner)
        case types.StructType(cls=struct):
            return _link(struct)
        case types.DictType(value_type=types.StructType(cls=struct)):
            return f"by name, each {_link(struct)}"
        case types.DictType(value_type=types.StrType()):
            return "texts by name"
        case types.DictType(value_type=types.LiteralType(values=values)):
            return f"by kind, each {' or '.join(f'`{value}`' for value in values)}"
        case types.DictType():
            return f"see {_OVERLAYS}"
        case types.LiteralType(values=values):
            return " or ".join(f"`{value}`" for value in values)
        case types.VarTupleType():
            return "list of texts"
        case types.BoolType():
            return "`true` or `false`"
        case types.IntType(ge=least, le=most):
            return f"whole number, {least} to {most:,}" if most is not None else f"whole number, {least} or more"
        case types.FloatType(gt=None):
            return "number, 0 or more"
        case types.FloatType(gt=above):
            return f"number above {above:g}"
        case types.TimeDeltaType():
            return "duration"
        case types.StrType():
            return "text"
    raise LookupError(f"no words for {kind}")


def _link(kind: type[msgspec.Struct]) -> str:
    title = _TITLES[kind]
    return f"[{title[0].lower()}{title[1:]}](#{title.lower().replace(' ', '-')})"


def _default(field: types.Field) -> str:
    if field.required:
        return "**required**"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None or value in ((), {}) or isinstance(value, msgspec.Struct | timedelta):
        return ""
    return f"`{msgspec.json.encode(value).decode()}`"


if __name__ == "__main__":
    main(*sys.argv[1:])
