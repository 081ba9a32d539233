"""The commands of a page, with what the page says they print."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^( *)```([a-z]*)\s*$")
_EVENT = re.compile(r"^\s*<!-- world: (.+) -->\s*$")
_COMMENT = re.compile(r"(?:^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a page. `shown` are the lines below it; None where the page shows none (a block of `sh`)."""

    line: int
    command: str
    shown: tuple[str, ...] | None
    after: int
    """The number of the line after it and what it prints."""

    indent: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its first line of text, and its steps."""

    line: int
    language: str
    text: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """What happens between two blocks, in a comment that readers don't see: `<!-- world: ... -->`."""

    line: int
    what: str


def parts_of(text: str) -> list[Block | Event]:
    """Return the blocks and events of a page, in order. Line numbers begin at one."""
    return list(_parts(text.splitlines()))


def _parts(lines: list[str]) -> Iterator[Block | Event]:
    at = 0
    while at < len(lines):
        event, fence = _EVENT.match(lines[at]), _FENCE.match(lines[at])
        if event:
            yield Event(at + 1, event[1])
        if fence:
            end = next(n for n in range(at + 1, len(lines)) if lines[n].strip() == "```")
            indent = len(fence[1])
            inside = [line[indent:] for line in lines[at + 1 : end]]
            yield Block(at + 2, fence[2], "\n".join(inside), tuple(_steps(fence[2], inside, at + 2, fence[1])))
            at = end
        at += 1


def _steps(language: str, lines: list[str], first: int, indent: str) -> Iterator[Step]:
    if language == "sh":
        at = 0
        while at < len(lines):
            end = _end_of_command(lines, at)
            command = _joined(lines[at:end])
            if command and not command.startswith("#"):
                yield Step(first + at, command, None, first + end, indent)
            at = end
    elif language == "console":
        at = 0
        while at < len(lines):
            assert lines[at].startswith("$ "), f"line {first + at}: a console block begins with a command"
            end = _end_of_command(lines, at)
            output = end
            while output < len(lines) and not lines[output].startswith("$ "):
                output += 1
            yield Step(
                first + at, _joined(lines[at:end]).removeprefix("$ "), tuple(lines[end:output]), first + output, indent
            )
            at = output


def _end_of_command(lines: list[str], at: int) -> int:
    while lines[at].endswith("\\"):
        at += 1
    return at + 1


def _joined(lines: list[str]) -> str:
    """Return a command on one line, without the comment after it."""
    joined = " ".join(line.removesuffix("\\").strip() for line in lines)
    return _COMMENT.sub("", joined).strip()
