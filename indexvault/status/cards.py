"""Messages of alerts: plain JSON, an Adaptive Card for a workflow of Teams, blocks for Slack.

What they tell comes from services, stores and runs. It is bounded, on one line each, and never read as markup: cards
have it in `TextRun`s and Slack in `plain_text`, where no link or mention can be written. Sources: Create and send
messages, Workflows (Microsoft Teams), 2026-09; Adaptive Cards 1.4, RichTextBlock; Block Kit, text object (Slack),
2026-09.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import msgspec

from indexvault.printable import count, printable_line
from indexvault.status.notices import Change

type Format = Literal["json", "teams", "slack"]

VERSION = 1
"""The version of the plain JSON. Members may be added to it."""
MESSAGE_LIMIT = 20_000
"""Bytes of a message. Teams refuses more than some 28 KB. Source: Microsoft Teams (connector), limits, 2026-09."""
_LENGTHS = (400, 200, 100, 50)
_COLOURS = {"red": "Attention", "amber": "Warning"}
_HEADER_LENGTH = 150
"""Characters in a header of Slack. Source: Header block."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Some changes, and how many alerts are on in all. `test` says that nothing has happened."""

    at: datetime
    on: int
    changes: Sequence[Change]
    test: bool = False

    @property
    def title(self) -> str:
        """What it is about, in one line."""
        if self.test:
            return "indexvault: a test, nothing has happened"
        begun = sum(change.state == "on" for change in self.changes)
        ended = len(self.changes) - begun
        parts = [f"{begun} new"] if begun else []
        parts += [f"{ended} recovered"] if ended else []
        return f"indexvault: {', '.join(parts)} ({count(self.on, 'alert')} on)"


def body_of(message: Message, form: Format) -> bytes:
    """Return the body of the request that delivers a message. Long texts are cut until it fits MESSAGE_LIMIT."""
    data = b""
    for length in _LENGTHS:
        data = msgspec.json.encode(_RENDERED[form](message, partial(_cut, length)))
        if len(data) <= MESSAGE_LIMIT:
            break
    return data


type _Cut = Callable[[str], str]


def _json(message: Message, cut: _Cut) -> dict[str, Any]:
    return {
        "version": VERSION,
        "event": "test" if message.test else "alerts",
        "at": _time(message.at),
        "on": message.on,
        "changes": [
            {
                "id": change.id,
                "state": change.state,
                "kind": change.kind,
                "level": change.level,
                "subject": cut(change.subject),
                "what": cut(change.what),
                "do": cut(change.do),
                "since": _time(change.since),
                "ended": None if change.ended is None else _time(change.ended),
            }
            for change in message.changes
        ],
    }


def _teams(message: Message, cut: _Cut) -> dict[str, Any]:
    body: list[dict[str, Any]] = [_rich([_run(message.title, weight="Bolder", size="Medium")])]
    for change in message.changes:
        colour = _COLOURS[change.level] if change.state == "on" else "Good"
        body.append(
            {
                "type": "Container",
                "separator": True,
                "items": [
                    _rich([_run(f"{_word(change)}  ", weight="Bolder", color=colour), _run(cut(change.subject))]),
                    _rich([_run(_what(change, cut))]),
                    *([_rich([_run(f"Do: {cut(change.do)}")])] if change.do and change.state == "on" else []),
                    _rich([_run(_when(change), isSubtle=True, size="Small")]),
                ],
            }
        )
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": message.title,
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _slack(message: Message, cut: _Cut) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(message.title[:_HEADER_LENGTH])}]
    for change in message.changes:
        lines = [f"{_word(change)}: {cut(change.subject)}", _what(change, cut)]
        lines += [f"Do: {cut(change.do)}"] if change.do and change.state == "on" else []
        blocks += [
            {"type": "divider"},
            {"type": "section", "text": _plain("\n".join(lines))},
            {"type": "context", "elements": [_plain(_when(change))]},
        ]
    return {"text": message.title, "blocks": blocks}


_RENDERED: Mapping[Format, Callable[[Message, _Cut], dict[str, Any]]] = {
    "json": _json,
    "teams": _teams,
    "slack": _slack,
}


def _rich(inlines: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": inlines}


def _run(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _word(change: Change) -> str:
    return f"{change.level} {change.kind}" if change.state == "on" else f"recovered {change.kind}"


def _what(change: Change, cut: _Cut) -> str:
    return cut(change.what) if change.state == "on" else f"It was: {cut(change.what)}"


def _when(change: Change) -> str:
    ended = f", until {_time(change.ended)}" if change.ended is not None else ""
    return f"since {_time(change.since)}{ended}"


def _cut(most: int, text: str) -> str:
    line = printable_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
