"""Storage: one SQLite database per service, in memory or in a folder."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from emulator.schema import Field, Schema

type Test = Callable[[bytes, bytes | None], float | int | None]
"""A function that queries call on a row's two halves: a score, a distance, or whether the row matches."""

_VARIABLES = 500
"""Keys in one statement; SQLite's own limit is far higher."""


class Row(msgspec.Struct, frozen=True):
    """A document to be written.

    `visible` is the rendered document that readers get, without its opening brace, so that a page is a join of rows.
    `hidden` holds the top-level fields of which readers don't get everything. `values` go to the columns.
    """

    key: str
    visible: bytes
    hidden: bytes | None
    vector_bytes: int
    values: tuple[object, ...]


class Found(msgspec.Struct, frozen=True):
    """A document read back, with the score its query gave it."""

    sequence: int
    visible: bytes
    hidden: bytes | None
    score: float


class Selection(msgspec.Struct, frozen=True):
    """A selection of documents in SQL: a condition with its parameters, a score, an order and a page."""

    where: str = "1"
    parameters: tuple[object, ...] = ()
    score: str = "1.0"
    order: str = "sequence"
    limit: int = -1
    offset: int = 0


class Totals(msgspec.Struct, frozen=True):
    """What an index holds: documents, their bytes, and the bytes of their vectors."""

    documents: int
    size: int
    vectors: int


class Database:
    """A service's database. In a query, `on_document(n, visible, hidden)` calls the nth of `tests`."""

    def __init__(self, folder: Path | None, name: str) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        path = ":memory:" if folder is None else str(folder / f"{name}.sqlite")
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.tests: list[Test] = []
        self.connection.create_function("on_document", 3, self._call)
        for statement in (
            "PRAGMA page_size = 16384",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = OFF",
            "PRAGMA cache_size = -65536",
            "CREATE TABLE IF NOT EXISTS resources (kind TEXT, name TEXT, etag TEXT, body, PRIMARY KEY (kind, name))",
            "CREATE TABLE IF NOT EXISTS tables (number INTEGER PRIMARY KEY, name TEXT UNIQUE, paths BLOB, current)",
        ):
            self.connection.execute(statement)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything that the block writes, or nothing."""
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _call(self, slot: int, visible: bytes, hidden: bytes | None) -> float | int | None:
        return self.tests[slot](visible, hidden)

    def resources(self, kind: str) -> list[tuple[str, str, bytes]]:
        """Return (name, ETag, body) of every resource of a kind, by name."""
        rows = self.connection.execute("SELECT name, etag, body FROM resources WHERE kind = ? ORDER BY name", (kind,))
        return rows.fetchall()

    def put_resource(self, kind: str, name: str, etag: str, body: bytes) -> None:
        """Store a resource."""
        self.connection.execute("INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?)", (kind, name, etag, body))

    def delete_resource(self, kind: str, name: str) -> None:
        """Remove a resource."""
        self.connection.execute("DELETE FROM resources WHERE kind = ? AND name = ?", (kind, name))


class DocumentTable:
    """The documents of one index.

    Columns are the index's comparable fields; each gets its own SQL index the first time a query needs one, so that
    uploads stay fast. The key always has one.
    """

    def __init__(self, database: Database, name: str, schema: Schema) -> None:
        self.database = database
        connection = database.connection
        row = connection.execute("SELECT number, paths, current FROM tables WHERE name = ?", (name,)).fetchone()
        if row is None:
            connection.execute("INSERT INTO tables (name, paths, current) VALUES (?, '[]', 1)", (name,))
            row = connection.execute("SELECT number, paths, current FROM tables WHERE name = ?", (name,)).fetchone()
        self.number, paths, current = row
        self.name = f"documents_{self.number}"
        self.current = bool(current)
        """Whether every row's `visible` is what today's schema would render."""
        self.paths: list[str] = msgspec.json.decode(paths)
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self.name} (sequence INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, "
            "visible BLOB NOT NULL, hidden BLOB, vector_bytes INT NOT NULL)"
        )
        self.adopt(schema)
        size = "COALESCE(SUM(LENGTH(visible) + COALESCE(LENGTH(hidden), 0)), 0)"
        statement = f"SELECT COUNT(*), {size}, COALESCE(SUM(vector_bytes), 0) FROM {self.name}"  # noqa: S608  # our own names
        self.totals = Totals(*connection.execute(statement).fetchone())
        self._indexed: set[str] = set()

    def adopt(self, schema: Schema) -> None:
        """Adopt the schema of a new or changed definition."""
        connection = self.database.connection
        for field in schema.columns:
            if field.path not in self.paths:
                connection.execute(f"ALTER TABLE {self.name} ADD COLUMN c{len(self.paths)}")
                self.paths.append(field.path)
        connection.execute(
            "UPDATE tables SET paths = ? WHERE number = ?", (msgspec.json.encode(self.paths), self.number)
        )
        self.columns = tuple(schema.columns)
        self._names = {field.path: f"c{self.paths.index(field.path)}" for field in schema.columns}
        if schema.key.normalizer is None and schema.key.path in self._names:
            self._names[schema.key.path] = "key"
        placed = [f"c{self.paths.index(field.path)}" for field in self.columns]
        names = ", ".join(["key", "visible", "hidden", "vector_bytes", *placed])
        marks = ", ".join("?" * (4 + len(placed)))
        self._insert = f"INSERT OR REPLACE INTO {self.name} ({names}) VALUES ({marks})"  # noqa: S608  # our own names

    def outdate(self) -> None:
        """Mark rows as out of date with the schema, so that they are rendered when read."""
        if self.totals.documents:
            self.current = False
            self.database.connection.execute("UPDATE tables SET current = 0 WHERE number = ?", (self.number,))

    def drop(self) -> None:
        """Remove the table."""
        self.database.connection.execute(f"DROP TABLE {self.name}")
        self.database.connection.execute("DELETE FROM tables WHERE number = ?", (self.number,))

    def column(self, field: Field) -> str | None:
        """Return the SQL name of a field's column, or None if it has none."""
        return self._names.get(field.path)

    def ensure_index(self, name: str) -> None:
        """Create the SQL index for a filter or order on this column."""
        if name == "key" or name in self._indexed:
            return
        self._indexed.add(name)
        self.database.connection.execute(f"CREATE INDEX IF NOT EXISTS {self.name}_{name} ON {self.name} ({name})")

    def write(self, rows: Iterable[Row], deleted: Sequence[str]) -> None:
        """Store rows and remove keys, as one transaction."""
        written = list(rows)
        keys = [row.key for row in written] + list(deleted)
        before = self._totals_of(keys)
        connection = self.database.connection
        with self.database.transaction():
            connection.executemany(f"DELETE FROM {self.name} WHERE key = ?", [(key,) for key in deleted])  # noqa: S608  # our name
            connection.executemany(
                self._insert, [(row.key, row.visible, row.hidden, row.vector_bytes, *row.values) for row in written]
            )
        size = sum(len(row.visible) + len(row.hidden or b"") for row in written)
        self.totals = Totals(
            self.totals.documents - before.documents + len(written),
            self.totals.size - before.size + size,
            self.totals.vectors - before.vectors + sum(row.vector_bytes for row in written),
        )

    def bodies(self, keys: Sequence[str]) -> dict[str, tuple[bytes, bytes | None]]:
        """Return the stored bytes of the keys that exist."""
        return {key: (visible, hidden) for key, visible, hidden in self._by_keys("key, visible, hidden", keys)}

    def existing(self, keys: Sequence[str]) -> set[str]:
        """Return the keys that exist."""
        return {key for (key,) in self._by_keys("key", keys)}

    def count(self, selection: Selection) -> int:
        """Count the selected documents, whatever the page."""
        statement = f"SELECT COUNT(*) FROM {self.name} WHERE {selection.where}"  # noqa: S608  # built by filters.py
        (count,) = self.database.connection.execute(statement, selection.parameters).fetchone()
        return int(count)

    def page(self, selection: Selection) -> list[bytes]:
        """Return the visible bytes of one page."""
        return [visible for (visible,) in self._select("visible", selection)]

    def find(self, selection: Selection) -> list[Found]:
        """Return one page of documents with both halves of their bytes and their scores."""
        columns = f"sequence, visible, hidden, {selection.score} AS score"
        return [Found(*row) for row in self._select(columns, selection)]

    def grouped(self, column: str, selection: Selection) -> list[tuple[object, int]]:
        """Count documents by the value of a column, nulls left out."""
        where = f"({selection.where}) AND {column} IS NOT NULL"
        statement = f"SELECT {column}, COUNT(*) FROM {self.name} WHERE {where} GROUP BY {column}"  # noqa: S608  # as above
        return self.database.connection.execute(statement, selection.parameters).fetchall()

    def _select(self, columns: str, selection: Selection) -> sqlite3.Cursor:
        statement = (
            f"SELECT {columns} FROM {self.name} WHERE {selection.where} "  # noqa: S608  # built by filters.py, searching.py
            f"ORDER BY {selection.order} LIMIT ? OFFSET ?"
        )
        return self.database.connection.execute(statement, (*selection.parameters, selection.limit, selection.offset))

    def _totals_of(self, keys: Sequence[str]) -> Totals:
        rows = self._by_keys("LENGTH(visible) + COALESCE(LENGTH(hidden), 0), vector_bytes", keys)
        return Totals(len(rows), sum(size for size, _ in rows), sum(vectors for _, vectors in rows))

    def _by_keys(self, columns: str, keys: Sequence[str]) -> list[Any]:
        rows: list[tuple[object, ...]] = []
        for start in range(0, len(keys), _VARIABLES):
            some = keys[start : start + _VARIABLES]
            marks = ", ".join("?" * len(some))
            statement = f"SELECT {columns} FROM {self.name} WHERE key IN ({marks})"  # noqa: S608  # our own names
            rows += self.database.connection.execute(statement, some).fetchall()
        return rows
