"""Find the settings' text in the environment or a file, and name the file and line of what is wrong in it."""

import codecs
import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import override

import msgspec

from indexvault.errors import SettingsError
from indexvault.search.random_text import are_words
from indexvault.settings.load import read_settings
from indexvault.settings.model import Settings
from indexvault.settings.positions import line_of, line_of_syntax_error

VARIABLE = "INDEXVAULT_CONFIG"

_SET_IT = "Set it to the path of the settings file, or to the JSON itself"
_BYTE_ORDER_MARK = "\ufeff"
_BLANK = string.whitespace + _BYTE_ORDER_MARK
_PATH = re.compile(r"[\w./\\:~ -]{1,300}")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_UNIT = re.compile(r"^settings \$\.?")


class LocatedSettings(Settings, frozen=True):
    """Settings that know in which line of which file the members are that name secrets, by their paths."""

    places: Mapping[str, str] = msgspec.field(default_factory=dict)

    @override
    def __eq__(self, other: object) -> bool:
        """Compare the settings, wherever they stand."""
        return isinstance(other, Settings) and all(
            getattr(self, name) == getattr(other, name) for name in Settings.__struct_fields__
        )

    __hash__ = Settings.__hash__

    @override
    def place_of(self, path: str) -> str:
        """Return the file, the line and the member, or what any settings say."""
        return self.places.get(path) or super().place_of(path)


def load_settings(environment: Mapping[str, str], *, folder: Path | None = None) -> Settings:
    """Read the settings that INDEXVAULT_CONFIG holds (a JSON object) or points to (the path of a file).

    Raises SettingsError if it is not set, if the file can't be read, or if the settings are wrong: `on` is then the
    file or the variable, the line and the member, such as `indexvault.json:12: policies.nightly.schedule`. A file in
    `folder` is named without it.
    """
    given = environment.get(VARIABLE, "")
    text = given.strip(_BLANK)
    if not text:
        raise SettingsError("it is not set", on=VARIABLE, do=_SET_IT)
    if text.startswith(("{", "[", '"')):
        lines_before = given[: given.index(text)].count("\n")
        return _read("\n" * lines_before + text, VARIABLE, environment)
    try:
        path = Path(text).expanduser()
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # a path can hold what no file name can
        reason = error.strerror if isinstance(error, OSError) else None
        raise SettingsError(
            f"the file{_shown_path(text)} can't be read ({reason or type(error).__name__})", on=VARIABLE, do=_SET_IT
        ) from None
    shown = path.relative_to(folder) if folder is not None and path.is_relative_to(folder) else path
    return _read(_text_of(data, str(shown)), str(shown), environment)


def _read(text: str, source: str, environment: Mapping[str, str]) -> Settings:
    try:
        return _located_settings(read_settings(text, environment), text, source)
    except SettingsError as error:
        raise SettingsError(error.what, on=_located(error, text, source), do=error.do) from None


def _located_settings(settings: Settings, text: str, source: str) -> LocatedSettings:
    paths = [
        *(f"$.services.{name}.api_key" for name in settings.services),
        *(f"$.stores.{name}.connection_string" for name in settings.stores),
        "$.record_key",
    ]
    members = {name: getattr(settings, name) for name in Settings.__struct_fields__}
    return LocatedSettings(**members, places={path: _place(text, path, source) for path in paths})


def _located(error: SettingsError, text: str, source: str) -> str:
    """Return where an error is: the source, the line, and the member if the error is about one."""
    if not _UNIT.match(error.on):
        return f"{source}:{line_of_syntax_error(text)}"
    path = error.on.removeprefix("settings ")
    unknown = _UNKNOWN.search(error.what)
    if unknown is not None:
        path = f"{path}.{unknown[1]}"
    return _place(text, path, source)


def _place(text: str, path: str, source: str) -> str:
    member = path.removeprefix("$").removeprefix(".")
    return f"{source}:{line_of(text, path)}" + (f": {member}" if member else "")


def _text_of(data: bytes, source: str) -> str:
    """Return the text of a file, without the byte order mark that some editors put first."""
    is_utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 if is_utf_16 else data.count(b"\n", 0, error.start) + 1
        raise SettingsError("it is not UTF-8 text", on=f"{source}:{line}", do="Save the file as UTF-8") from None


def _shown_path(text: str) -> str:
    """Return a text that names a file, with a space before it; nothing if it may be settings or a secret instead."""
    is_path = _PATH.fullmatch(text) is not None and ("/" in text or "\\" in text or text.endswith(".json"))
    return f" {text}" if is_path and all(map(are_words, re.split(r"[/\\]", text))) else ""
