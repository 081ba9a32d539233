"""Make the documents of one index as those of the other side, and write nothing else.

A document is merged, never replaced: fields that the source does not return keep the values that the target has.
Extra documents are deleted. Each document is read again right before it is written, so what changed since the
comparison is written as it is now.
"""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from itertools import batched

import msgspec

from indexvault.errors import ConflictError, LossNotAcceptedError
from indexvault.recovery.compare import Terms
from indexvault.recovery.drift import Deviating
from indexvault.recovery.settle import deviation
from indexvault.recovery.sides import LiveSide, Side
from indexvault.restore.projection import Projection, readable
from indexvault.restore.upload import Uploader
from indexvault.search.batch import delete_action, merge_action

_AT_ONCE = 100
"""Documents of both sides that are held at once."""

type Sleep = Callable[[float], Awaitable[None]]


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: documents merged or added, and deleted. `unchanged` ones had become alike by themselves.

    `refused` are the keys of documents that the service did not take, each with its reason.
    """

    target: str
    written: int = 0
    deleted: int = 0
    unchanged: int = 0
    refused: list[tuple[str, str]] = []


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What writing documents of `source` to `target` would lose.

    `added` are the fields that an added document would lack. `merged` are those inside collections that a merged one
    would lose: a merge keeps fields that it does not name, but replaces collections whole. Source: Model complex data
    types (Azure AI Search), data updates, 2026-09.
    """

    source: str = ""
    target: str = ""
    added: list[str] = []
    merged: list[str] = []

    @classmethod
    def of(cls, source: Side, target: Side) -> "Loss":
        """Return what is lost by fields that the source hides, or by sub-fields that it does not have."""
        returned = {path for path, _field in readable(source.schema).walk()}
        known = {path for path, _field in source.schema.walk()}
        lists = [f"{path}/" for path, field in target.schema.walk() if field.is_complex and field.is_collection]
        kept = [path for path, field in target.schema.walk() if not field.is_complex and path not in returned]
        return cls(
            source=source.name,
            target=target.name,
            added=[path for path in kept if path in known],
            merged=[path for path in kept if path.startswith(tuple(lists))],
        )

    def check(self, *, adds: bool, merges: bool) -> None:
        """Raise LossNotAcceptedError if adding or merging documents loses something."""
        for does, lost, what in ((adds, self.added, "added to"), (merges, self.merged, "merged into")):
            if does and lost:
                raise LossNotAcceptedError(
                    f"documents are to be {what} {self.target} without {', '.join(lost)}, which {self.source} does not"
                    " return",
                    on=self.target,
                    do="Write them with what fills the index, restore them from a snapshot that has the field, or"
                    " accept the loss",
                )


NO_LOSS = Loss()


async def mend(
    source: Side,
    target: LiveSide,
    found: Sequence[Deviating],
    *,
    rng: random.Random,
    sleep: Sleep,
    fence: Callable[[], Awaitable[None]],
    accept_loss: bool = False,
) -> Mended:
    """Write the source's documents over those of the target that deviate, and delete those that the source lacks.

    `found` tells from the source's point of view: the target has `extra` documents. `fence` raises ConflictError if the
    run has lost the target's lock. Raises LossNotAcceptedError if values would be lost that the source does not return,
    unless that is accepted: with nothing written, or before the document that was removed or added meanwhile.
    """
    loss = NO_LOSS if accept_loss else Loss.of(source, target)
    kinds = {each.kind for each in found}
    loss.check(adds="missing" in kinds, merges="different" in kinds)
    counts = {"written": 0, "deleted": 0, "unchanged": 0}
    uploader = Uploader(target.service, target.index, rng=rng, sleep=sleep, most_refused=None)

    async def actions() -> AsyncGenerator[list[tuple[str, bytes]]]:
        for keys in batched(sorted(each.key for each in found), _AT_ONCE, strict=False):
            some = await _actions(source, target, keys, counts, loss)
            await fence()
            if some:
                yield some

    totals = await uploader.upload(actions())
    refused = [(each.key, each.reason) for each in totals.refused]
    return Mended(target=target.name, refused=refused, **counts)


async def _actions(
    source: Side, target: LiveSide, keys: Sequence[str], counts: dict[str, int], loss: Loss
) -> list[tuple[str, bytes]]:
    """Return what makes some documents of the target as those of the source, counted by what is done."""
    terms = Terms.between(source, target)
    onto_target = Projection(source.schema, target.schema)
    here, there = await source.find(keys), await target.find(keys)
    actions: list[tuple[str, bytes]] = []
    for key in keys:
        line = here.get(key)
        if deviation(line, there.get(key), terms.is_same) is None:
            counts["unchanged"] += 1
        elif line is None:
            actions.append((key, delete_action(target.schema.key.name, key)))
            counts["deleted"] += 1
        else:
            loss.check(adds=key not in there, merges=key in there)
            actions.append((key, merge_action(onto_target.project(line))))
            counts["written"] += 1
    return actions


def require_other(source: Side, target: Side) -> LiveSide:
    """Return the target as the index that it must be. Raises ConflictError for a snapshot, or the source itself."""
    if not isinstance(target, LiveSide):
        raise ConflictError(
            "a snapshot is never changed", on=target.name, do="Name the side that is right with --repair-from"
        )
    if target.name == source.name:
        raise ConflictError("both sides are the same index", on=target.name, do="Compare two different indexes")
    return target
