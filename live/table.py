"""The assumptions that nobody could confirm without a real service: one row each, with the check that settles it.

`docs/assumptions.md` shows this table; a test holds the two together.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from live import definition_checks, document_checks, protection_checks, tool_checks
from live.seen import Seen
from live.site import Site

type Check = Callable[[Site], Awaitable[Seen]]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a check needs: requests, documents and indexes; `generated` if it grows with the indexes' size."""

    requests: int
    documents: int = 0
    indexes: int = 0
    generated: int = 0


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    """What is assumed, where that matters, what is expected to be seen, and what happens if it is wrong.

    `check` settles it on a real service, `otherwise` says what would where no check can.
    """

    name: str
    says: str
    where: str
    expected: str
    if_wrong: str
    check: Check | None = None
    cost: Cost = Cost(requests=0)
    otherwise: str = ""


ASSUMPTIONS: Sequence[Assumption] = (
    Assumption(
        name="identical_put",
        says="A PUT of the definition that an index has may keep its ETag or change it",
        where="`indexvault/search/client.py`, `indexvault/backup/definition_changes.py`",
        expected="either",
        if_wrong="Nothing is lost or taken for a conflict: contents are compared. Where it changes the ETag, a backup"
        " reads an index again whose definition somebody puts anew meanwhile",
        check=definition_checks.identical_put,
        cost=Cost(requests=7, indexes=1),
    ),
    Assumption(
        name="if_match_on_absent",
        says="`If-Match` on an index that is not there is 412 for PUT and DELETE, and creates nothing",
        where="`indexvault/search/client.py`",
        expected="412, 412, and no index",
        if_wrong="`check` can't test the right to write without writing; a lost answer of a deletion is told otherwise",
        check=definition_checks.if_match_on_absent,
        cost=Cost(requests=3),
    ),
    Assumption(
        name="preview_index",
        says="A stable version trims an index made with a newer one, or refuses it and says so; its list names it",
        where="`indexvault/search/definitions.py`, `indexvault/backup/definitions.py`",
        expected="GET trimmed, or 400 that names the version; listed",
        if_wrong="Such an index is missing from the backup of a whole service, or its backup fails",
        check=definition_checks.preview_index,
        cost=Cost(requests=6, indexes=1),
    ),
    Assumption(
        name="list_paging",
        says="Preview versions page their lists, `@odata.nextLink` leads on, and `pageSize` sets the length of a page",
        where="`indexvault/search/client.py`",
        expected="all pages together name what the stable list names",
        if_wrong="Without working links, a service with more than 50 objects of a kind is refused or backed up in part",
        check=definition_checks.list_paging,
        cost=Cost(requests=3100, indexes=2),
    ),
    Assumption(
        name="gzip_answers",
        says="`Accept-Encoding: gzip` is answered in gzip or not compressed at all",
        where="`indexvault/search/transport.py`",
        expected="gzip or identity, decoded",
        if_wrong="Answers can't be decoded, and every command fails at once",
        check=definition_checks.gzip_answers,
        cost=Cost(requests=1),
    ),
    Assumption(
        name="wrong_key",
        says="A wrong key is 403 (or 401)",
        where="`indexvault/search/errors.py`",
        expected="403 or 401",
        if_wrong="The error advises something else than to look at the key",
        check=definition_checks.wrong_key,
        cost=Cost(requests=1),
    ),
    Assumption(
        name="search_members",
        says="A document with a `@search.*` member other than the action is refused or stored without it",
        where="`indexvault/search/batch.py`",
        expected="400, or 200 without the member",
        if_wrong="Nothing: such members are removed before documents are kept or sent",
        check=document_checks.search_members,
        cost=Cost(requests=160, documents=1, indexes=1),
    ),
    Assumption(
        name="half_vectors",
        says="`Edm.Half` reads back as the nearest half-precision number, in any number of digits",
        where="`indexvault/restore/values.py`",
        expected="the same numbers after rounding to half precision",
        if_wrong="A restore of such vectors is called different although nothing is lost (exit code 6)",
        check=document_checks.half_vectors,
        cost=Cost(requests=12, documents=1, indexes=1),
    ),
    Assumption(
        name="int8_vectors",
        says="`Edm.SByte` reads back as the integers that were written",
        where="`indexvault/restore/values.py`",
        expected="the same integers",
        if_wrong="As for half-precision vectors",
        check=document_checks.int8_vectors,
        cost=Cost(requests=12, documents=1, indexes=1),
    ),
    Assumption(
        name="binary_vectors",
        says="`Edm.Byte` with `packedBit` reads back as the bytes that were written",
        where="`indexvault/restore/values.py`, `indexvault/search/schema.py`",
        expected="the same bytes",
        if_wrong="As for half-precision vectors",
        check=document_checks.binary_vectors,
        cost=Cost(requests=12, documents=1, indexes=1),
    ),
    Assumption(
        name="full_storage",
        says="A document that no longer fits is refused by itself, or its batch with 429 and the word quota",
        where="`indexvault/restore/upload.py`, `indexvault/search/errors.py`",
        expected="207 with a status for each document, or 429 that names a quota",
        if_wrong="A load into a full service tries for minutes before it fails, and does not name the quota",
        check=document_checks.full_storage,
        cost=Cost(requests=45, documents=1280, indexes=1),
    ),
    Assumption(
        name="count_of_protected",
        says="`$count` counts documents that the caller may not read, and reading elevated without the role is refused",
        where="`indexvault/backup/access.py`",
        expected="30 of 30; elevated 30 or refused",
        if_wrong="A caller without the role is told of fewer missing documents; its snapshots are lossy either way. If"
        " the header were ignored instead of refused, such a backup would be called complete",
        check=protection_checks.count_of_protected,
        cost=Cost(requests=160, documents=30, indexes=1),
    ),
    Assumption(
        name="empty_lists",
        says="An empty access list, and `none`, let nobody read a document",
        where="`indexvault/backup/access.py`",
        expected="only the document for all is seen",
        if_wrong="Nothing: documents are counted, whatever their lists say",
        check=protection_checks.empty_lists,
        cost=Cost(requests=80, documents=4, indexes=1),
    ),
    Assumption(
        name="ties",
        says="Documents that tie may come in another order each time, but each answer is whole",
        where="`indexvault/backup/paged.py`, `indexvault/backup/answers.py`",
        expected="any number of orders, each whole",
        if_wrong="An index that nothing can cut may be called complete without some documents",
        check=document_checks.ties,
        cost=Cost(requests=100, documents=60, indexes=1),
    ),
    Assumption(
        name="count_lag",
        says="`$count` agrees with what queries find within eleven minutes of the last write",
        where="`indexvault/backup/recount.py`, `indexvault/backup/commit.py`, `indexvault/restore/proof.py`",
        expected="both counts agree in time",
        if_wrong="The backup of an index that was just written, or the proof of a restore, fails and is to be repeated",
        check=document_checks.count_lag,
        cost=Cost(requests=160, documents=1000, indexes=1),
    ),
    Assumption(
        name="backup",
        says="A backup of generated indexes, with and without key order, is complete",
        where="`indexvault/backup/`",
        expected="complete, every document",
        if_wrong="The report says what failed",
        check=tool_checks.backup,
        cost=Cost(requests=300, indexes=2, generated=2),
    ),
    Assumption(
        name="restore",
        says="A restored index has every document, as a reader finds them",
        where="`indexvault/restore/`",
        expected="all documents are the same",
        if_wrong="As above",
        check=tool_checks.restore,
        cost=Cost(requests=200, indexes=1, generated=1),
    ),
    Assumption(
        name="drill",
        says="A damaged copy is brought back from its snapshot",
        where="`indexvault/restore/`",
        expected="all documents are the same, and how long it took",
        if_wrong="As above",
        check=tool_checks.drill,
        cost=Cost(requests=250, generated=1),
    ),
    Assumption(
        name="move",
        says="An index is moved, compared and its source deleted",
        where="`indexvault/move/`",
        expected="all documents are the same, the source is gone",
        if_wrong="As above",
        check=tool_checks.move,
        cost=Cost(requests=300, indexes=1, generated=2),
    ),
    Assumption(
        name="copy_source",
        says="A server-side copy that can't read its source says `CannotVerifyCopySource`, whatever its status",
        where="`indexvault/snapshots/azure_copy.py`",
        expected="that code",
        if_wrong="Replication between accounts fails where it could have streamed the blobs",
        otherwise="`indexvault replicate` between two accounts, one of which lacks the role on the other",
    ),
    Assumption(
        name="immutable_versions",
        says="Under version-level immutability, deleting a blob leaves a version that is billed",
        where="`indexvault/snapshots/prune.py`",
        expected="a previous version",
        if_wrong="`prune` says that more stays than does",
        otherwise="`indexvault prune` on a container with such a policy, then its versions",
    ),
    Assumption(
        name="counts_of_partitions",
        says="With several partitions and one replica, counts are off for minutes at most, and only while one restarts",
        where="`indexvault/backup/recount.py`, `indexvault/backup/commit.py`",
        expected="they agree within ten minutes",
        if_wrong="A backup at such a moment fails, and says which counts differ",
        otherwise="backups of a service with several partitions, over some weeks",
    ),
    Assumption(
        name="resource_graph",
        says="Azure Resource Graph gives `sku.name`, `properties.hostingMode` and `properties.primaryEndpoints.blob` as"
        " Azure Resource Manager does, of all subscriptions if none is named",
        where="`indexvault/discovery.py`",
        expected="the services and accounts that the portal lists",
        if_wrong="`init` finds fewer services or accounts than there are, or asks for their tier; what is named is not"
        " affected",
        otherwise="`indexvault init`, signed in with `az login`",
    ),
    Assumption(
        name="management",
        says="Azure Resource Manager tells the replicas, the state and `systemData.createdAt` of a search service to"
        " whoever has *Reader* on it, and that date is when it was made",
        where="`indexvault/readiness/management.py`, `indexvault/readiness/places.py`",
        expected="what the service's page in the portal shows",
        if_wrong="`readiness` calls replicas, state or zones unknown, or judges the zones of a service by another date;"
        " nothing else is affected",
        otherwise="`indexvault readiness` of a pair whose services have `resource_id`",
    ),
    Assumption(
        name="functions_host",
        says="The Functions host runs the app on Python 3.13 with the preview bundle of Durable Functions",
        where="`indexvault/workflow/functions_host.py`",
        expected="timers and endpoints run",
        if_wrong="The app does not start; the command line is not affected",
        otherwise="a deployment, as [functions-app.md](functions-app.md) has it",
    ),
)


def estimate(assumptions: Sequence[Assumption], documents: int) -> Cost:
    """Return what checks need at most, with generated indexes of so many documents."""
    page = 100
    return Cost(
        requests=sum(each.cost.requests + each.cost.generated * (documents // page) for each in assumptions),
        documents=sum(each.cost.documents + each.cost.generated * documents for each in assumptions),
        indexes=sum(each.cost.indexes for each in assumptions),
    )


def markdown(assumptions: Sequence[Assumption] = ASSUMPTIONS) -> str:
    """Return the table as `docs/assumptions.md` shows it."""
    lines = ["| assumption | where it matters | if it is wrong | settled by |", "|-|-|-|-|"]
    for each in assumptions:
        by = f"`make live`: {each.name}" if each.check is not None else each.otherwise
        lines.append(f"| {each.says}. | {each.where} | {each.if_wrong}. | {by} |")
    return "\n".join(lines) + "\n"
