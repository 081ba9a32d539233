"""What a sweep did, or would do."""

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """A blob that could not be deleted, and why in words."""

    blob: str
    why: str


class SweepReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a sweep. Bytes are stored ones.

    `removed` are the packs and records of locations that no snapshot needs, `waiting` those of them that are in their
    grace period, `refused` blobs that the container keeps. `rewritten` are packs of which what is alive was copied to
    others, `rewritten_bytes` what that freed; `not_rewritten` says why packs stay as they are that should be rewritten.
    `stored_bytes` are left in packs, of which no snapshot needs `wasted_bytes`. `hindrance` says why nothing could be
    swept at all; it is empty otherwise.
    """

    removed: int = 0
    removed_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    refused: tuple[Refusal, ...] = ()
    rewritten: int = 0
    rewritten_bytes: int = 0
    not_rewritten: str = ""
    stored_bytes: int = 0
    wasted_bytes: int = 0
    hindrance: str = ""
