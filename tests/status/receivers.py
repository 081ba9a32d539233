"""Real HTTP servers on loopback that receive what webhooks are sent, and answer as a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PATH = "/workflows/a-secret-path?sig=a-secret-signature"


@dataclass
class Received:
    """One request."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Receiver:
    """A server; `how` is a status, or one of `hang`, `endless`, `drop`, `redirect`, `huge-header`."""

    url: str = ""
    how: int | str = 200
    received: list[Received] = field(default_factory=list)
    redirected: int = 0

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """Return the changes that it was told: state, kind and subject."""
        return [
            (change["state"], change["kind"], change["subject"])
            for each in self.received
            for change in each.json["changes"]
        ]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/elsewhere":
            self.redirected += 1
            return web.Response()
        self.received.append(Received(dict(request.headers), await request.read()))
        if isinstance(self.how, int):
            return web.Response(status=self.how, text="x" * 100)
        if self.how == "hang":
            await asyncio.sleep(3600)
        if self.how == "redirect":
            return web.Response(status=307, headers={"Location": "/elsewhere"})
        if self.how == "huge-header":
            return web.Response(headers={"X-Filler": "x" * 1_000_000})
        if self.how == "endless":
            stream = web.StreamResponse()
            await stream.prepare(request)
            while True:
                await stream.write(b"x" * 65536)
        assert request.transport is not None
        request.transport.close()
        return web.Response()


@asynccontextmanager
async def receiver(how: int | str = 200, *, context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver."""
    opened = Receiver(how=how)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", opened.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    opened.url = f"{'http' if context is None else 'https'}://127.0.0.1:{port}{PATH}"
    try:
        yield opened
    finally:
        await runner.cleanup()


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return the TLS of a server whose certificate nobody has reason to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
