"""What a shell can complete: the verbs with their options and places, from the parsers that read them."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from indexvault.cli.parser import verb_parsers
from indexvault.cli.verbs import VERBS

type Kind = Literal["nothing", "choices", "files", "folders", "services", "places", "snapshots", "stores", "overlays"]
"""What stands where a value is expected. From `services` on, the settings hold the names."""

_MANY = frozenset({"*", "+"})
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"SNAPSHOT.*|.*@.*", "snapshots"),
    (r"SERVICE\[?/INDEX\]?", "places"),
    (r"SERVICE", "services"),
    (r"STORE", "stores"),
    (r"FILE", "files"),
    (r"FOLDER", "folders"),
    (r".*", "nothing"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What an option takes or a place of a verb holds. `name` is how the help calls it."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option, with its value if it takes one."""

    flag: str
    summary: str
    value: Value | None
    repeats: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place of a verb; the last may hold many values."""

    value: Value
    optional: bool
    many: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb."""

    name: str
    summary: str
    options: Sequence[Option]
    places: Sequence[Place]


def verbs() -> list[Verb]:
    """Return every verb with its arguments. Imports what all verbs need."""
    return [_verb(name, parser) for name, parser in verb_parsers().items()]


def common_options(every: Sequence[Verb]) -> list[Option]:
    """Return the options that each verb has, which may stand before the verb too."""
    first, *others = every
    return [option for option in first.options if all(option in verb.options for verb in others)]


def values(every: Sequence[Verb]) -> Mapping[str, Value]:
    """Return the value of each option and place, by `VERB OPTION` and `VERB PLACE`: places from 1, `*` for the rest."""
    found = {}
    for verb in every:
        found.update({f"{verb.name} {each.flag}": each.value for each in verb.options if each.value is not None})
        for number, place in enumerate(verb.places, 1):
            found[f"{verb.name} {number}"] = place.value
            if place.many:
                found[f"{verb.name} *"] = place.value
    return found


def _verb(name: str, parser: argparse.ArgumentParser) -> Verb:
    arguments = list(_arguments(parser))
    return Verb(
        name=name,
        summary=VERBS[name],
        options=[_option(each) for each in arguments if each.option_strings],
        places=[
            Place(value=_value(each), optional=each.nargs in {"?", "*"}, many=each.nargs in _MANY)
            for each in arguments
            if not each.option_strings
        ],
    )


def _arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if action.help is not argparse.SUPPRESS:
            yield action


def _option(action: argparse.Action) -> Option:
    repeats = isinstance(action, argparse._AppendAction)  # noqa: SLF001 - the same
    return Option(
        flag=action.option_strings[-1],
        summary=_one_line(action.help or ""),
        value=None if action.nargs == 0 else _value(action),
        repeats=repeats,
    )


def _value(action: argparse.Action) -> Value:
    name = str(action.metavar or action.dest.upper()).replace("…", "...")
    if action.choices is not None:
        return Value(name=name, kind="choices", choices=tuple(str(choice) for choice in action.choices))
    if action.dest == "overlay":
        return Value(name=name, kind="overlays")
    return Value(name=name, kind=next(kind for pattern, kind in _KINDS if re.fullmatch(pattern, name)))


def _one_line(text: str) -> str:
    """Return how a help text begins, which is all that a list of completions has room for."""
    return re.split(r"[;.] | \(", " ".join(text.split()))[0]
