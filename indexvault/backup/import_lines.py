"""Read the documents of a folder that is imported, each checked against the definition as it is read."""

from collections.abc import Iterator
from pathlib import Path

from indexvault.backup.document_check import DocumentCheck, Finding, definition_findings
from indexvault.bounds import MEBIBYTE
from indexvault.errors import UNDECODABLE, SettingsError
from indexvault.search.page import Document, document_line
from indexvault.search.schema import read_schema
from indexvault.snapshots.chunks import key_reader
from indexvault.snapshots.export import DEFINITION, PREVIEW, Dump
from indexvault.snapshots.plain_files import open_plain

MOST_FINDINGS = 20
"""Findings that are kept in words; of the rest only the number."""


class ImportFindings:
    """What an import finds that no service would take: the first MOST_FINDINGS in words, and how many there are."""

    def __init__(self) -> None:
        self.first: list[str] = []
        self.count = 0

    def add(self, words: str) -> None:
        """Note one finding."""
        self.count += 1
        if self.count <= MOST_FINDINGS:
            self.first.append(words)

    def words(self) -> str:
        """Return all that is known of them, in one line."""
        rest = self.count - len(self.first)
        return "; ".join(self.first) + (f"; and {rest:,} more" if rest else "")


class CheckedLines:
    """Reads the documents of a dump, each checked against the definition."""

    def __init__(self, dump: Dump, key_field: str, longest: int, findings: ImportFindings | None, *, on: str) -> None:
        schema = read_schema(dump.definition.fullest.body, on=on)
        self.files = dump.files
        self._key_of = key_reader(key_field)
        self._check = DocumentCheck(schema)
        self._longest = longest
        self._findings = findings
        definition = dump.files[0].with_name(DEFINITION if dump.definition.preview is None else PREVIEW)
        for finding in definition_findings(schema):
            self._note(definition, "", finding)

    def read(self, file: Path) -> Iterator[Document]:
        """Yield the documents of a file. Empty lines are skipped."""
        with open_plain(file) as opened:
            for number, raw in enumerate(iter(lambda: opened.readline(self._longest + 1), b""), start=1):
                if len(raw) > self._longest:
                    raise SettingsError(
                        f"line {number} is longer than any document can be, {self._longest / MEBIBYTE:.3g} MiB",
                        on=str(file),
                        do="Write each document as one JSON object on a line of its own",
                    )
                line = raw.removeprefix(b"\xef\xbb\xbf").strip()
                if line:
                    yield self._document(file, number, line)

    def _document(self, file: Path, number: int, line: bytes) -> Document:
        try:
            document = Document(self._key_of(line), document_line(line))
        except UNDECODABLE as error:
            raise SettingsError(
                f"line {number} is not a document with a key ({type(error).__name__})",
                on=str(file),
                do="Write each document as one JSON object on a line of its own",
            ) from None
        for finding in self._check.findings(document.line):
            self._note(file, f"line {number:,}, ", finding)
        return document

    def _note(self, file: Path, line: str, finding: Finding) -> None:
        if self._findings is None:
            raise SettingsError(
                f"{line}{finding}",
                on=str(file),
                do="No service would take this: correct it, or import all of it with --lenient to have a list",
            )
        self._findings.add(f"{file.name} {line}{finding}")
