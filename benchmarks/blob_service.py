"""A blob service in memory that counts its operations: `python -m benchmarks.blob_service`.

It knows containers, block blobs with conditions, ranges, metadata and MD5, listings and leases, and passes the store's
contract tests (tests/benchmarks/test_blob_service.py). It does not check who asks, and refuses what it does not know.
Operations are named as in the storage logs, which is how they are priced.
"""

import base64
import hashlib
import itertools
import time
from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from xml.sax.saxutils import escape

import msgspec

from benchmarks.http_server import CONTROL, Reply, Request, process_seconds, run
from benchmarks.leases import Lease, LeaseRefusedError

_MOST_LISTED = 5000
_XML = "application/xml"


class _RefusedError(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(slots=True)
class _Blob:
    data: bytes
    headers: dict[str, str]
    """What properties and metadata a reader is shown."""
    metadata: dict[str, str]
    lease: Lease
    blocks: dict[str, bytes] = field(default_factory=dict)
    committed: bool = True


class _Container:
    def __init__(self) -> None:
        self.blobs: dict[str, _Blob] = {}
        self.names: list[str] = []


class BlobService:
    """The service of any number of accounts. `handle` answers a request."""

    def __init__(self) -> None:
        self._containers: dict[str, _Container] = {}
        self._etags = itertools.count(1)
        self._operations = Counter[str]()
        self._received = self._sent = 0

    def handle(self, request: Request) -> Reply:
        """Answer a request."""
        if request.path == CONTROL:
            return self._control()
        try:
            reply = self._answer(request)
        except _RefusedError as error:
            reply = _refusal(error.status, error.code)
        except LeaseRefusedError as error:
            reply = _refusal(error.status, error.code)
        reply_headers = {"x-ms-version": "2024-11-04", "x-ms-request-id": "0", **(reply.headers or {})}
        return Reply(reply.status, reply.parts, reply_headers, reply.content_type)

    def _answer(self, request: Request) -> Reply:
        account, container, name = (*request.path.removeprefix("/").split("/", 2), "", "")[:3]
        where = f"{account}/{container}"
        if not name:
            return self._on_container(request, where)
        if where not in self._containers:
            raise _RefusedError(404, "ContainerNotFound")
        return self._on_blob(request, self._containers[where], name)

    def _on_container(self, request: Request, where: str) -> Reply:
        there = self._containers.get(where)
        match request.method, request.query.get("comp"):
            case "PUT", None:
                self._operations["CreateContainer"] += 1
                if there is not None:
                    raise _RefusedError(409, "ContainerAlreadyExists")
                self._containers[where] = _Container()
                return Reply(201, headers=self._stamp())
            case (("GET" | "HEAD"), None):
                self._operations["GetContainerProperties"] += 1
                if there is None:
                    raise _RefusedError(404, "ContainerNotFound")
                return Reply(200, headers=self._stamp())
            case "GET", "list":
                self._operations["ListBlobs"] += 1
                if there is None:
                    raise _RefusedError(404, "ContainerNotFound")
                return self._list(there, request)
        raise _RefusedError(501, "NotImplemented")

    def _on_blob(self, request: Request, container: _Container, name: str) -> Reply:
        blob = container.blobs.get(name)
        comp = request.query.get("comp")
        if request.method == "PUT" and comp in {None, "block", "blocklist"}:
            return self._write(request, container, name, blob, comp)
        if blob is None or not blob.committed:
            self._operations["DeleteBlob" if request.method == "DELETE" else "GetBlob"] += 1
            raise _RefusedError(404, "BlobNotFound")
        match request.method, comp:
            case "GET", None:
                self._operations["GetBlob"] += 1
                return self._read(blob, request)
            case "HEAD", None:
                self._operations["GetBlobProperties"] += 1
                return Reply(200, headers=_shown(blob) | {"Content-Length": str(len(blob.data))})
            case "DELETE", None:
                self._operations["DeleteBlob"] += 1
                _require_condition(request, blob)
                blob.lease.require(request.headers.get("x-ms-lease-id"), time.monotonic())
                del container.blobs[name]
                container.names.pop(bisect_left(container.names, name))
                return Reply(202)
            case "PUT", "lease":
                action = request.headers["x-ms-lease-action"]
                self._operations[f"{action.capitalize()}BlobLease"] += 1
                status, shown = blob.lease.change(action, request.headers, time.monotonic())
                return Reply(status, headers={"ETag": blob.headers["ETag"], **shown})
        raise _RefusedError(501, "NotImplemented")

    def _write(self, request: Request, container: _Container, name: str, blob: _Blob | None, comp: str | None) -> Reply:
        self._operations[{None: "PutBlob", "block": "PutBlock"}.get(comp, "PutBlockList")] += 1
        self._received += len(request.body)
        digest = hashlib.md5(request.body, usedforsecurity=False).digest()
        given = request.headers.get("content-md5")
        if given is not None and base64.b64decode(given) != digest:
            raise _RefusedError(400, "Md5Mismatch")
        there = blob if blob is not None and blob.committed else None
        if comp != "block":
            _require_condition(request, there)
        if there is not None:
            there.lease.require(request.headers.get("x-ms-lease-id"), time.monotonic())
        if comp == "block":
            if blob is None:
                blob = container.blobs[name] = _Blob(b"", {}, {}, Lease(), committed=False)
            blob.blocks[request.query["blockid"]] = request.body
            return Reply(201)
        data = request.body
        if comp == "blocklist":
            blocks = blob.blocks if blob is not None else {}
            data = b"".join(blocks[part.split("<")[0]] for part in data.decode().split("<Latest>")[1:])
            digest = hashlib.md5(data, usedforsecurity=False).digest()
        stamp = self._stamp()
        headers = stamp | {
            "Content-Type": request.headers.get("x-ms-blob-content-type", "application/octet-stream"),
            "Content-MD5": base64.b64encode(digest).decode(),
            "x-ms-blob-type": "BlockBlob",
            "x-ms-creation-time": there.headers["x-ms-creation-time"] if there else stamp["Last-Modified"],
        }
        metadata = {
            header.removeprefix("x-ms-meta-"): value
            for header, value in request.headers.items()
            if header.startswith("x-ms-meta-")
        }
        if there is None:
            insort(container.names, name)
        container.blobs[name] = _Blob(data, headers, metadata, there.lease if there else Lease())
        return Reply(201, headers=stamp | {"Content-MD5": headers["Content-MD5"]})

    def _read(self, blob: _Blob, request: Request) -> Reply:
        _require_condition(request, blob)
        size = len(blob.data)
        asked = request.headers.get("x-ms-range") or request.headers.get("range")
        if asked is None:
            self._sent += size
            return Reply(200, (blob.data,), _shown(blob))
        first, _, last = asked.removeprefix("bytes=").partition("-")
        begin, end = int(first), min(int(last or size), size - 1)
        if begin >= size:
            raise _RefusedError(416, "InvalidRange")
        headers = _shown(blob) | {"Content-Range": f"bytes {begin}-{end}/{size}"}
        headers["x-ms-blob-content-md5"] = headers.pop("Content-MD5")
        part = blob.data if end - begin + 1 == size else memoryview(blob.data)[begin : end + 1]
        if request.headers.get("x-ms-range-get-content-md5") == "true":
            digest = hashlib.md5(part, usedforsecurity=False).digest()
            headers["Content-MD5"] = base64.b64encode(digest).decode()
        self._sent += len(part)
        return Reply(206, (part,), headers)

    def _list(self, container: _Container, request: Request) -> Reply:
        prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter")
        most = min(int(request.query.get("maxresults", _MOST_LISTED)), _MOST_LISTED)
        with_metadata = "metadata" in request.query.get("include", "")
        place = bisect_left(container.names, request.query.get("marker") or prefix)
        found: list[str] = []
        marker = ""
        while place < len(container.names) and (name := container.names[place]).startswith(prefix):
            if len(found) == most:
                marker = name
                break
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            if delimiter and cut >= 0:
                folder = name[: cut + len(delimiter)]
                found.append(f"<BlobPrefix><Name>{escape(folder)}</Name></BlobPrefix>")
                place = bisect_left(container.names, folder[:-1] + chr(ord(folder[-1]) + 1))
                continue
            found.append(_listed(name, container.blobs[name], with_metadata=with_metadata))
            place += 1
        body = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults>'
            f"<Prefix>{escape(prefix)}</Prefix><Blobs>{''.join(found)}</Blobs><NextMarker>{escape(marker)}</NextMarker>"
            "</EnumerationResults>"
        )
        return Reply(200, (body.encode(),), content_type=_XML)

    def _stamp(self) -> dict[str, str]:
        return {"ETag": f'"0x{next(self._etags):X}"', "Last-Modified": formatdate(usegmt=True)}

    def _control(self) -> Reply:
        """Return what was done since the last time, and what is stored now."""
        stored = {
            where: {"blobs": len(there.blobs), "bytes": sum(len(blob.data) for blob in there.blobs.values())}
            for where, there in self._containers.items()
        }
        found = {
            "cpu": process_seconds(),
            "operations": dict(self._operations),
            "received": self._received,
            "sent": self._sent,
            "stored": stored,
        }
        self._operations.clear()
        self._received = self._sent = 0
        return Reply(200, (msgspec.json.encode(found),))


def _require_condition(request: Request, blob: _Blob | None) -> None:
    """Raise _RefusedError unless If-Match and If-None-Match hold."""
    etag = blob.headers["ETag"] if blob is not None else None
    wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
    if wanted is not None and (etag is None or wanted not in {etag, "*"}):
        raise _RefusedError(412, "ConditionNotMet")
    if unwanted is not None and etag is not None and unwanted in {etag, "*"}:
        raise _RefusedError(409, "BlobAlreadyExists")


def _shown(blob: _Blob) -> dict[str, str]:
    metadata = {f"x-ms-meta-{name}": value for name, value in blob.metadata.items()}
    return {**blob.headers, **metadata, **blob.lease.shown(time.monotonic()), "Accept-Ranges": "bytes"}


def _listed(name: str, blob: _Blob, *, with_metadata: bool) -> str:
    headers = blob.headers
    metadata = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in blob.metadata.items())
    return (
        f"<Blob><Name>{escape(name)}</Name><Properties><Creation-Time>{headers['x-ms-creation-time']}</Creation-Time>"
        f"<Last-Modified>{headers['Last-Modified']}</Last-Modified><Etag>{headers['ETag'].strip('"')}</Etag>"
        f"<Content-Length>{len(blob.data)}</Content-Length><Content-Type>{escape(headers['Content-Type'])}"
        f"</Content-Type><Content-MD5>{headers['Content-MD5']}</Content-MD5><BlobType>BlockBlob</BlobType>"
        f"<LeaseState>available</LeaseState></Properties>"
        f"{f'<Metadata>{metadata}</Metadata>' if with_metadata else ''}</Blob>"
    )


def _refusal(status: int, code: str) -> Reply:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return Reply(status, (body.encode(),), {"x-ms-error-code": code}, _XML)


if __name__ == "__main__":
    run(BlobService().handle)
