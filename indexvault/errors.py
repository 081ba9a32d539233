"""The errors of indexvault, one tree for every room.

    IndexvaultError                 anything this project says went wrong
    ├── SettingsError               the settings, or a request, can't be used
    │   └── RequestError            an HTTP request can't: `on` is the member that is wrong
    │       ├── MalformedError      it is no JSON
    │       └── OversizedError      it is too large to be looked at
    ├── NotFoundError               a name that nothing answers to
    ├── ConflictError               something is in the way: an existing target, a changed ETag
    │   └── OutdatedReadingError    what was read of an index no longer stands; reading it again helps
    ├── IntegrityError              stored bytes are not what was stored
    ├── VerificationError           a restored index is not its snapshot
    ├── LossNotAcceptedError        a lossy snapshot, and nobody said that this is fine
    ├── UnreadableIndexError        an index that can't be read completely
    ├── AccountingError             documents that can't be accounted for
    ├── RemoteError                 a service or store said no, or nothing
    │   ├── UnreachableError        no answer, or one that broke off
    │   │   └── TooSlowError        none in time
    │   ├── UnauthorizedError       a wrong or missing key, or no identity
    │   ├── ForbiddenError          an identity without the role
    │   ├── RefusedError            the request itself is refused; sending it again changes nothing
    │   │   └── TooLargeError       for its size
    │   ├── OverloadedError         too busy; later it may work
    │   ├── QuotaError              a limit of the tier is reached
    │   └── UnexpectedAnswerError   an answer that is not what the service documents
    └── CancelledError              the operator stopped it

Each error says what failed, on what, and what to do next. Its text never holds a secret, a document or a management
URL.
"""

from typing import ClassVar, Self

import msgspec


class ErrorRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An error as it crosses a workflow or a process.

    `kind` is the error's class, the rest are its parts.
    """

    kind: str
    what: str
    on: str
    do: str


class IndexvaultError(Exception):
    """Something failed.

    `what` is the failure in words, `on` the thing it happened to (a service, index, blob, field or setting),
    `do` the next step for whoever reads it.
    """

    exit_code: ClassVar[int] = 1
    may_pass: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody changing anything."""

    def __init__(self, what: str, *, on: str, do: str) -> None:
        super().__init__(what, on, do)
        self.what = what
        self.on = on
        self.do = do

    def __str__(self) -> str:
        """One line: where, what, and the way out."""
        return f"{self.on}: {self.what}. {self.do}"

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword-only parts when an error is pickled."""
        return (_rebuild, (type(self).__name__, self.what, self.on, self.do))

    def record(self) -> ErrorRecord:
        """Return the error as plain data."""
        return ErrorRecord(kind=type(self).__name__, what=self.what, on=self.on, do=self.do)

    @classmethod
    def kinds(cls) -> dict[str, type[Self]]:
        """Return every class of this branch by its name."""
        found: dict[str, type[Self]] = {cls.__name__: cls}
        for child in cls.__subclasses__():
            found |= child.kinds()
        return found


class SettingsError(IndexvaultError):
    """A setting or a request that can't be used; `on` is the path of the field."""

    exit_code = 2


class RequestError(SettingsError):
    """An HTTP request that can't be used; `on` is the member that is wrong."""


class MalformedError(RequestError):
    """An HTTP request whose body is no JSON."""


class OversizedError(RequestError):
    """An HTTP request that is too large to be looked at."""


class NotFoundError(IndexvaultError):
    """A service, index, snapshot or blob of that name does not exist."""

    exit_code = 4


class ConflictError(IndexvaultError):
    """What is there is in the way, or is no longer what it was."""

    exit_code = 5


class OutdatedReadingError(ConflictError):
    """What was read of an index can't become a snapshot any more. Reading it again helps."""


class IntegrityError(IndexvaultError):
    """Stored bytes do not match their checksum, or contradict each other."""

    exit_code = 6


class VerificationError(IndexvaultError):
    """A restored index differs from its snapshot."""

    exit_code = 6


class LossNotAcceptedError(IndexvaultError):
    """The snapshot is lossy and the request does not accept that."""

    exit_code = 3


class UnreadableIndexError(IndexvaultError):
    """The index can't be read completely in any way known here."""


class AccountingError(IndexvaultError):
    """The documents read can't be reconciled with what the service says it holds."""


class RemoteError(IndexvaultError):
    """A service or a store did not do what was asked."""


class UnreachableError(RemoteError):
    """No answer, or one that broke off."""

    may_pass = True


class TooSlowError(UnreachableError):
    """No complete answer within the time that one request may take."""


class UnauthorizedError(RemoteError):
    """The key is wrong or missing, or no identity could be found."""


class ForbiddenError(RemoteError):
    """The identity is known and lacks a role."""


class RefusedError(RemoteError):
    """The request is refused for what it asks."""


class TooLargeError(RefusedError):
    """The request is larger than the service takes."""


class OverloadedError(RemoteError):
    """The service is too busy, and retrying within the limits did not help."""

    may_pass = True


class QuotaError(RemoteError):
    """A limit of the service's tier is reached."""


class UnexpectedAnswerError(RemoteError):
    """An answer outside what the service documents."""

    may_pass = True


class CancelledError(IndexvaultError):
    """The operator stopped the run."""

    exit_code = 130


def from_record(record: ErrorRecord) -> IndexvaultError:
    """Return the error that a record was made of; an unknown kind becomes the root of the tree."""
    return _rebuild(record.kind, record.what, record.on, record.do)


def _rebuild(kind: str, what: str, on: str, do: str) -> IndexvaultError:
    return IndexvaultError.kinds().get(kind, IndexvaultError)(what, on=on, do=do)
