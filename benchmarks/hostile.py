"""Peak memory under hostile answers, blobs and files.

    python -m benchmarks.hostile [NAME ...]

Each attack meets a process of its own, whose peak is compared with what it took before the attack. Servers are real, on
loopback, and live in this process.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import random
import re
import resource
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from aiohttp import web
from azure.core.credentials import AzureKeyCredential

from indexvault.api.run_views import RunList
from indexvault.backup.import_folder import Importer
from indexvault.bounds import MEBIBYTE
from indexvault.cli.remote.address import Address
from indexvault.cli.remote.deployment import Deployment
from indexvault.errors import IndexvaultError
from indexvault.model import IndexName
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.checksum import with_checksum
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Added, Counts, Definition, Etags, Manifest, VersionedDefinition, open_manifest
from indexvault.snapshots.packs import member, open_chunk
from indexvault.snapshots.tree import Tree
from tests.memory_store import MemoryStore

_RNG = random.Random(1)  # noqa: S311 - nothing here is secret
_MEMBER_HEADER = 52
_PART = b" " * MEBIBYTE
_DEFINITION = b'{"name":"a","fields":[{"name":"id","type":"Edm.String","key":true}]}'
_NOW = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Peak:
    """What an attack led to: MiB taken beyond those before it, and the error, or what became of it otherwise."""

    mebibytes: int
    outcome: str


def _gzip(size: int, begin: bytes = b"") -> bytes:
    """Compress spaces without holding them."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(begin), *(packer.compress(_PART) for _ in range(size // MEBIBYTE))]
    return b"".join([*parts, packer.flush()])


async def _streamed(request: web.Request, part: bytes, parts: int, **headers: str) -> web.StreamResponse:
    answer = web.StreamResponse(status=206 if "Content-Range" in headers else 200, headers=headers)
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(parts):
            await answer.write(part)
    return answer


async def _endless(request: web.Request) -> web.StreamResponse:
    return await _streamed(request, _PART, 1 << 30)


async def _endless_gzip(request: web.Request) -> web.StreamResponse:
    packer = zlib.compressobj(9, wbits=31)
    answer = web.StreamResponse(headers={"Content-Encoding": "gzip"})
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await answer.write(packer.compress(_PART))
            await asyncio.sleep(0)
    return answer


async def _bomb(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=_gzip(800 * MEBIBYTE), headers={"Content-Encoding": "gzip"})


async def _large_definition(request: web.Request) -> web.StreamResponse:
    return await _streamed(request, b'{"name":"a","x":"' + b"x" * (300 * MEBIBYTE) + b'"}', 1)


def _page_of(element: bytes) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        elements = b",".join([element] * (60 * MEBIBYTE // (len(element) + 1)))
        return await _streamed(request, b'{"value":[' + elements + b"]}", 1)

    return answer


async def _endless_blob(request: web.Request) -> web.StreamResponse:
    headers = {"ETag": '"1"', "Last-Modified": "Fri, 20 Nov 2026 02:30:00 GMT", "x-ms-blob-type": "BlockBlob"}
    return await _streamed(request, _PART, 1 << 30, **headers, **{"Content-Range": "bytes 0-99/100"})


@contextlib.asynccontextmanager
async def _service(port: int) -> AsyncIterator[SearchService]:
    endpoint = f"http://127.0.0.1:{port}"
    async with SearchService("attacked", endpoint, AzureKeyCredential("k"), rng=_RNG) as service:
        yield service


async def _read_definition(port: int) -> None:
    async with _service(port) as service:
        await service.index_definition("a")


async def _read_page(port: int) -> None:
    async with _service(port) as service:
        await service.documents("a", DocumentQuery(), PageReader("id"))


async def _ask_deployment(port: int) -> None:
    async with Deployment(Address(f"http://127.0.0.1:{port}", "k"), rng=_RNG) as deployment:
        await deployment.get("runs", RunList)


def _store(port: int) -> AzureStore:
    key = base64.b64encode(b"not the key").decode()
    return AzureStore.from_connection_string(
        "attacked",
        f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={key};BlobEndpoint=http://127.0.0.1:{port}/a",
    )


async def _read_blob(port: int) -> None:
    async with _store(port) as store:
        await store.snapshots.read("a/b", 256 * MEBIBYTE)


async def _list_blobs(port: int) -> None:
    async with _store(port) as store:
        _ = [blob async for blob in store.snapshots.list("a/")]


def _import(size: int) -> Callable[[int], Awaitable[None]]:
    async def run(_port: int) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "definition.json").write_bytes(_DEFINITION)
            with (folder / "a.jsonl").open("wb") as file:
                file.write(b'{"id":"1","x":"')
                for _ in range(size):
                    file.write(b"x" * MEBIBYTE)
                file.write(b'"}\n')
            importer = Importer(MemoryStore(), clock=lambda: _NOW, rng=_RNG, report=lambda _update: None)
            await importer.import_folder(folder, IndexName("a", "b"), run="r")

    return run


async def _open_bomb(_port: int) -> None:
    chunk = Chunk(sha256="0" * 64, first="a", last="b", documents=1, bytes=1_200_000_000)
    packer = zlib.compressobj(9, wbits=-15)
    packed = b"".join(packer.compress(_PART) for _ in range(1145)) + packer.flush()
    begin = member(chunk.sha256, b"")
    size = _MEMBER_HEADER + len(packed)
    open_chunk(chunk, begin[:16] + size.to_bytes(4, "little") + begin[20:_MEMBER_HEADER] + packed, "pack")


async def _open_manifest(_port: int) -> None:
    def chunk(number: int) -> bytes:
        name = hashlib.sha256(b"%d" % number).hexdigest().encode()
        return b'["%s","%09d","%09dz",1,9,"%s",0,99]' % (name, number, number, name)

    version = VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(_DEFINITION))
    empty = Manifest(
        id="20261120T023000Z-000000", service="a", index="b", state="complete", created=_NOW, started=_NOW,
        finished=_NOW, tool="t", run="r", key_field="id", definition=Definition(stable=version),
        counts=Counts(before=None, after=None, documents=400_000), etag=Etags(before=None, after=None), boundary_bits=4,
        bytes=3_600_000, stored=39_600_000, added=Added(), content_digest="0" * 64, tree=Tree(),
    )  # fmt: skip
    chunks = b'"chunks":[%s]' % b",".join(map(chunk, range(400_000)))
    open_manifest(with_checksum(msgspec.json.encode(empty).replace(b'"chunks":[]', chunks)), "manifest")


@dataclass(frozen=True, slots=True)
class Attack:
    """`attack` answers requests, `meet` is what the attacked process does, given the port."""

    meet: Callable[[int], Awaitable[None]]
    attack: Callable[[web.Request], Awaitable[web.StreamResponse]] = _endless


ATTACKS: dict[str, Attack] = {
    "service: gzip answer of 800 MB": Attack(_read_definition, _bomb),
    "service: endless answer": Attack(_read_definition),
    "service: endless gzip answer": Attack(_read_page, _endless_gzip),
    "service: definition of 300 MB": Attack(_read_definition, _large_definition),
    "service: page of 30 million numbers": Attack(_read_page, _page_of(b"1")),
    "service: page of 5 million documents": Attack(_read_page, _page_of(b'{"id":"x"}')),
    "deployment: gzip answer of 800 MB": Attack(_ask_deployment, _bomb),
    "deployment: endless answer": Attack(_ask_deployment),
    "store: endless blob": Attack(_read_blob, _endless_blob),
    "store: endless listing": Attack(_list_blobs),
    "store: gzip listing of 800 MB": Attack(_list_blobs, _bomb),
    "store: chunk of 1.2 GB in a blob of 2 MB": Attack(_open_bomb),
    "store: manifest of 400,000 chunks": Attack(_open_manifest),
    "folder: line of 60 MB": Attack(_import(60)),
    "folder: line of 31 MB, which is taken": Attack(_import(31)),
}


async def measure(name: str) -> Peak:
    """Let a process of its own meet an attack."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", ATTACKS[name].attack)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.hostile", "--meet", name, "--port", str(runner.addresses[0][1]),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
    finally:
        await runner.cleanup()
    return Peak(**json.loads(out))


def _peak() -> int:
    """Return the most MiB that this process held. Linux hands `ru_maxrss` down from the process that started this."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) // 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _meet(name: str, port: int) -> None:
    before, outcome = _peak(), "taken"
    try:
        asyncio.run(_run(ATTACKS[name].meet(port)))
    except IndexvaultError as error:
        outcome = f"{type(error).__name__}: {error.what}"
    sys.stdout.write(json.dumps({"mebibytes": _peak() - before, "outcome": outcome}))


async def _run(met: Awaitable[None]) -> None:
    await met


def main() -> None:
    """Print the peaks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__.partition("\n")[0])
    parser.add_argument("names", metavar="NAME", nargs="*", help="only attacks whose names begin so")
    parser.add_argument("--meet", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.meet:
        _meet(asked.meet, asked.port)
        return
    for name in ATTACKS:
        if not asked.names or name.startswith(tuple(asked.names)):
            peak = asyncio.run(measure(name))
            sys.stdout.write(f"{name:44}{peak.mebibytes:6,} MiB   {peak.outcome}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
