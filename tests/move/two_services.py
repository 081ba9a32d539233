"""Two services of which one index is moved, each judged by what the emulator stores and not by a query."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.soak import virtual_loop
from tests.soak.stage import EAST, WEST, Ended, Stage
from tests.soak.truth import Dump

DOCUMENTS = 45
MOVE = ("move", f"{EAST}/notes", "--to", WEST)


def definition(*, ordered: bool) -> dict[str, Any]:
    return {
        "name": "notes",
        "fields": [
            {"name": "id", "type": "Edm.String", "key": True, "filterable": ordered, "sortable": ordered},
            {"name": "text", "type": "Edm.String"},
        ],
    }


def document(number: int, text: str = "as it was") -> dict[str, Any]:
    return {"id": f"n{number:04}", "text": text}


@dataclass
class TwoServices:
    """Two services, and every deletion of the source that the product made."""

    stage: Stage
    ordered: bool
    is_outside: bool = False
    deletions: list[tuple[Dump, Dump | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stage.truth.deleting.append(self._observe)

    def _observe(self, service: str, index: str) -> None:
        if (service, index) == (EAST, "notes") and not self.is_outside:
            self.deletions.append((self.stage.dump(EAST, "notes") or {}, self.stage.dump(WEST, "notes")))

    def tell(self, service: str, method: str, path: str, body: Any = None) -> None:
        """Do something that is not the product's doing."""
        self.is_outside = True
        try:
            self.stage.tell(service, method, path, body)
        finally:
            self.is_outside = False

    def create(self, service: str, numbers: range) -> None:
        self.tell(service, "PUT", "/indexes/notes", definition(ordered=self.ordered))
        self.write(service, *[document(number) for number in numbers])

    def drop(self, service: str) -> None:
        self.tell(service, "DELETE", "/indexes/notes")

    def write(self, service: str, *documents: dict[str, Any], action: str = "upload") -> None:
        body = {"value": [{"@search.action": action, **each} for each in documents]}
        self.tell(service, "POST", "/indexes/notes/docs/search.index", body)

    def remove(self, service: str, *numbers: int) -> None:
        self.write(service, *[{"id": f"n{number:04}"} for number in numbers], action="delete")

    def has(self, service: str) -> bool:
        return self.stage.dump(service, "notes") is not None

    def keys(self, service: str) -> set[str]:
        return set(self.stage.dump(service, "notes") or {})

    async def move(self, *options: str, **process: Any) -> Ended:
        return await self.stage.run(*MOVE, *options, process=self.stage.process(**process))

    async def move_and_delete(self, *options: str, **process: Any) -> Ended:
        return await self.move("--delete-source", *options, **process)

    def just_before(self, label: str, happens: Callable[["TwoServices"], None]) -> Callable[[str], None]:
        """Return a `watch` that lets something happen once, before the first request with this in its label."""
        waiting = [happens]

        def watch(request: str) -> None:
            if label in request and waiting:
                waiting.pop()(self)

        return watch

    def require_nothing_lost(self) -> None:
        for source, target in self.deletions:
            assert target is not None, "the target was not there"
            assert target == source


def played(act: Callable[[TwoServices], Coroutine[Any, Any, None]], *, ordered: bool) -> None:
    async def play() -> None:
        services = TwoServices(Stage(), ordered)
        services.create(EAST, range(DOCUMENTS))
        await act(services)
        services.require_nothing_lost()

    virtual_loop.run(play())
