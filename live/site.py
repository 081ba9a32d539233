"""Where the checks work: the service under test, and indexes of their own that are removed when each check ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from indexvault.search.transport import PREVIEW, STABLE
from live.record import MARK, Made, Record, is_ours
from live.wire import Reply, Sleep, Wire, index_path

type Documents = Sequence[Mapping[str, Any]]

KEY = {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True, "retrievable": True}
PAGE = 1000
_NOT_FOUND = 404


class RefusedSetupError(Exception):
    """The service refused what a check needs; the text says what and why."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The service under test as checks see it.

    `documents` is the size of generated indexes, `patience` the longest a check waits for counts, in seconds.
    """

    wire: Wire
    prefix: str
    run: str
    record: Record
    clock: Callable[[], datetime]
    sleep: Sleep = asyncio.sleep
    documents: int = 2000
    patience: float = 660.0
    fill_storage: bool = False
    tool: Any = None
    kept: dict[str, Any] = field(default_factory=dict)

    def name(self, part: str) -> str:
        """Return the name of an index of this run."""
        return f"{self.prefix}{self.run}-{part}"

    def note(self, kind: str, name: str) -> None:
        """Write down what is about to be made."""
        self.record.note(Made(kind=kind, name=name, endpoint=self.wire.endpoint, run=self.run, at=self.clock()))

    async def create(
        self,
        part: str,
        fields: Sequence[Mapping[str, Any]],
        *,
        key: Mapping[str, Any] = KEY,
        version: str = STABLE,
        **members: Any,
    ) -> str:
        """Create an index of this run and return its name. Raises RefusedSetupError if the service refuses it."""
        name = self.name(part)
        self.note("index", name)
        definition = {"name": name, "description": MARK + self.run, "fields": [key, *fields], **members}
        created = await self.wire.ask(
            "PUT", index_path(name), definition, version=version, headers={"If-None-Match": "*"}
        )
        if not created.ok:
            raise RefusedSetupError(f"an index for it could not be created: {created.told}")
        return name

    @contextlib.asynccontextmanager
    async def index(
        self, part: str, fields: Sequence[Mapping[str, Any]], *, version: str = STABLE, **members: Any
    ) -> AsyncIterator[str]:
        """Create an index of this run for a block, and delete it afterwards. Raises RefusedSetupError."""
        name = await self.create(part, fields, version=version, **members)
        try:
            yield name
        finally:
            await asyncio.shield(remove_index(self.wire, name, self.prefix))

    async def upload(self, name: str, documents: Documents, *, version: str = STABLE) -> None:
        """Upload documents. Raises RefusedSetupError if one is refused."""
        for start in range(0, len(documents), PAGE):
            actions = [{"@search.action": "upload", **each} for each in documents[start : start + PAGE]]
            sent = await self.index_documents(name, actions, version=version)
            items = (sent.json or {}).get("value", []) if isinstance(sent.json, dict) else []
            refused = [item for item in items if not item.get("status")]
            if not sent.ok or refused:
                why = refused[0].get("errorMessage") if refused else sent.told
                raise RefusedSetupError(f"documents for it were refused: {why}")

    async def index_documents(self, name: str, actions: Documents, **options: Any) -> Reply:
        """Send one batch of actions."""
        return await self.wire.ask("POST", index_path(name, "/docs/search.index"), {"value": actions}, **options)

    async def search(self, name: str, **query: Any) -> Reply:
        """Search; `headers` and `version` are the request's, the rest is the query."""
        headers, version = query.pop("headers", None), query.pop("version", STABLE)
        path = index_path(name, "/docs/search.post.search")
        return await self.wire.ask("POST", path, {"search": "*", **query}, headers=headers, version=version)

    async def counted(self, name: str) -> int | None:
        """Return what `$count` says, None if it can't be read."""
        answer = await self.wire.ask("GET", index_path(name, "/docs/$count"))
        text = answer.body.decode("utf-8-sig", errors="replace").strip()
        return int(text) if answer.ok and text.isdecimal() else None

    async def found(self, name: str, **query: Any) -> int | None:
        """Return how many documents a query counts, None if it is refused."""
        answer = await self.search(name, count=True, top=0, **query)
        return answer.json["@odata.count"] if answer.ok else None

    async def wait_until_found(self, name: str, documents: int, **query: Any) -> bool:
        """Wait until queries find so many documents; return False if they don't within the patience."""
        waited, rest = 0.0, 0.5
        while await self.found(name, **query) != documents:
            if waited >= self.patience:
                return False
            await self.sleep(rest)
            waited, rest = waited + rest, min(10.0, rest * 1.5)
        return True

    async def dump(self, name: str) -> dict[str, dict[str, Any]]:
        """Return all documents of a small index by key, without the service's own members."""
        found: dict[str, dict[str, Any]] = {}
        for skip in range(0, 100_000, PAGE):
            answer = await self.search(name, top=PAGE, skip=skip)
            if not answer.ok:
                raise RefusedSetupError(f"{name} could not be read: {answer.told}")
            page = answer.json["value"]
            for document in page:
                found[document["id"]] = {
                    member: value for member, value in document.items() if not member.startswith("@search.")
                }
            if len(page) < PAGE:
                break
        return found


async def remove_index(wire: Wire, name: str, prefix: str) -> str:
    """Delete an index if it is a live check's own; return what became of it, in a word: removed, absent or kept."""
    if not name.startswith(prefix):
        return "kept"
    present = await wire.ask("GET", index_path(name), version=PREVIEW)
    if not present.ok and present.status != _NOT_FOUND:
        present = await wire.ask("GET", index_path(name), version=STABLE)
    if present.status == _NOT_FOUND:
        return "absent"
    if not present.ok or not is_ours(present.json, prefix):
        return "kept"
    gone = await wire.ask(
        "DELETE", index_path(name), headers={"If-Match": present.json["@odata.etag"]}, version=PREVIEW
    )
    return "removed" if gone.ok or gone.status == _NOT_FOUND else "kept"
