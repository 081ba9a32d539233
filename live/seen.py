"""What a check came to."""

from typing import Literal

import msgspec

type Verdict = Literal["as assumed", "otherwise", "not settled", "skipped", "crashed"]


class Seen(msgspec.Struct, frozen=True):
    """What was seen, in words, and what that means for the assumption."""

    text: str
    verdict: Verdict


def as_assumed(text: str) -> Seen:
    """Return that the service does what was assumed."""
    return Seen(text, "as assumed")


def otherwise(text: str) -> Seen:
    """Return that the service does something else."""
    return Seen(text, "otherwise")


def not_settled(text: str) -> Seen:
    """Return that this service, caller or moment can't tell."""
    return Seen(text, "not settled")


def skipped(text: str) -> Seen:
    """Return that the check was left out, and why."""
    return Seen(text, "skipped")


def judged(held: bool, text: str) -> Seen:  # noqa: FBT001 - reads as an assertion
    """Return what was seen, as assumed or otherwise."""
    return as_assumed(text) if held else otherwise(text)
