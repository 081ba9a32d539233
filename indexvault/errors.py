"""The errors of indexvault: one tree for every room.

    IndexvaultError                 any failure that indexvault reports
    ├── SettingsError               the settings or a request can't be used
    │   └── RequestError            an HTTP request can't be used: `on` is the wrong member
    │       ├── MalformedError      its body is not JSON
    │       └── OversizedError      its body is too large to be parsed
    ├── NotFoundError               nothing has that name
    ├── ConflictError               the present state forbids it: an existing target, a changed ETag
    │   ├── OutdatedReadingError    what was read of an index is outdated; read it again
    │   ├── EndedMeanwhileError     the run that was to be resumed has ended by itself
    │   └── TooManyRunsError        so many runs are unfinished that no other is taken
    ├── IntegrityError              stored bytes are not what was written
    ├── VerificationError           a restored index differs from its snapshot
    ├── LossNotAcceptedError        the snapshot is lossy and the request does not accept that
    ├── UnauthenticError            no record key has signed the snapshot, and nobody has accepted it
    ├── UnreadableIndexError        the index can't be read completely
    ├── AccountingError             documents can't be accounted for
    ├── RemoteError                 a service or store refused or failed
    │   ├── UnreachableError        no answer, or one that broke off
    │   │   └── TooSlowError        no complete answer in time
    │   ├── UnauthorizedError       the key is wrong or missing, or there is no identity
    │   ├── ForbiddenError          the identity lacks a role
    │   ├── RefusedError            the request itself is refused; retrying does not help
    │   │   ├── TooLargeError       it is larger than the service takes
    │   │   └── NewerVersionError   its subject was made with a newer api-version
    │   ├── OverloadedError         too busy; it may work later
    │   ├── QuotaError              a limit of the tier is reached
    │   └── UnexpectedAnswerError   an answer outside what the service documents
    │       └── OversizedAnswerError    an answer with more bytes than are read
    ├── TimeLimitError              the run took longer than it may, and was ended
    └── CancelledError              the operator stopped the run

Each error says what failed, on what, and what to do next. Its text never holds a secret, a document or a management
URL.
"""

from typing import ClassVar, Self

import msgspec

UNDECODABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What msgspec raises for what is not JSON of the expected form: text outside UTF-8 and deep nesting have errors of
Python's own."""


class ErrorRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An error as plain data, to cross a workflow or a process.

    `kind` is the name of the error's class, the rest are its parts.
    """

    kind: str
    what: str
    on: str
    do: str


class IndexvaultError(Exception):
    """Something failed.

    `what` is the failure in words, `on` the thing it happened to (a service, index, blob, field or setting),
    `do` what the reader should do next.
    """

    exit_code: ClassVar[int] = 1
    may_pass: ClassVar[bool] = False
    """Whether the same call may succeed later with nothing changed."""

    def __init__(self, what: str, *, on: str, do: str) -> None:
        super().__init__(what, on, do)
        self.what = what
        self.on = on
        self.do = do

    def __str__(self) -> str:
        """Return one line: where, what, and what to do."""
        return f"{self.on}: {self.what}{'' if self.what.endswith('?') else '.'} {self.do}"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle an error with its keyword-only parts."""
        return (_rebuild, (type(self).__name__, self.what, self.on, self.do))

    def record(self) -> ErrorRecord:
        """Return the error as plain data."""
        return ErrorRecord(kind=type(self).__name__, what=self.what, on=self.on, do=self.do)

    @classmethod
    def kinds(cls) -> dict[str, type[Self]]:
        """Return this class and all classes below it by their names."""
        found: dict[str, type[Self]] = {cls.__name__: cls}
        for child in cls.__subclasses__():
            found |= child.kinds()
        return found


class SettingsError(IndexvaultError):
    """A setting or a request can't be used; `on` is the path of the field."""

    exit_code = 2


class RequestError(SettingsError):
    """An HTTP request can't be used; `on` is the wrong member."""


class MalformedError(RequestError):
    """The body of an HTTP request is not JSON."""


class OversizedError(RequestError):
    """The body of an HTTP request is too large to be parsed."""


class NotFoundError(IndexvaultError):
    """No service, index, snapshot or blob has that name."""

    exit_code = 4


class ConflictError(IndexvaultError):
    """The present state forbids it: the target exists, or has changed since it was read."""

    exit_code = 5


class OutdatedReadingError(ConflictError):
    """What was read of an index is outdated and can't become a snapshot. Read it again."""


class EndedMeanwhileError(ConflictError):
    """The run that was to be resumed was alive, and has ended by itself meanwhile."""


class TooManyRunsError(ConflictError):
    """So many runs are unfinished that no other is taken. Ask again later."""


class IntegrityError(IndexvaultError):
    """Stored bytes don't match their checksum, can't be decoded, or contradict each other."""

    exit_code = 6


class VerificationError(IndexvaultError):
    """A restored index differs from its snapshot."""

    exit_code = 6


class LossNotAcceptedError(IndexvaultError):
    """The snapshot is lossy and the request does not accept that."""

    exit_code = 3


class UnauthenticError(IndexvaultError):
    """No record key of the settings has signed the snapshot, and no operator has accepted it."""

    exit_code = 6


class UnreadableIndexError(IndexvaultError):
    """No known way reads the index completely."""


class AccountingError(IndexvaultError):
    """The documents read don't add up to what the service says it holds."""


class RemoteError(IndexvaultError):
    """A service or a store refused a request, or failed to answer it."""


class UnreachableError(RemoteError):
    """No answer, or one that broke off."""

    may_pass = True


class TooSlowError(UnreachableError):
    """No complete answer within the time that one request may take."""


class UnauthorizedError(RemoteError):
    """The key is wrong or missing, or no identity was found."""


class ForbiddenError(RemoteError):
    """The identity lacks a role."""


class RefusedError(RemoteError):
    """The service refuses the request itself; retrying does not help."""


class TooLargeError(RefusedError):
    """The request is larger than the service takes."""


class NewerVersionError(RefusedError):
    """What the request is about was made with a newer api-version, and uses what only that one has."""


class OverloadedError(RemoteError):
    """The service is too busy, and the retries are used up."""

    may_pass = True


class QuotaError(RemoteError):
    """A limit of the service's tier is reached."""


class UnexpectedAnswerError(RemoteError):
    """An answer outside what the service documents."""

    may_pass = True


class OversizedAnswerError(UnexpectedAnswerError):
    """An answer with more bytes, as sent or decompressed, than are read."""

    may_pass = False


class TimeLimitError(IndexvaultError):
    """The run took longer than its time limit, and was ended."""


class CancelledError(IndexvaultError):
    """The operator stopped the run."""

    exit_code = 130


def from_record(record: ErrorRecord) -> IndexvaultError:
    """Return the error that a record was made of. An unknown kind becomes a plain IndexvaultError."""
    return _rebuild(record.kind, record.what, record.on, record.do)


def _rebuild(kind: str, what: str, on: str, do: str) -> IndexvaultError:
    return IndexvaultError.kinds().get(kind, IndexvaultError)(what, on=on, do=do)
