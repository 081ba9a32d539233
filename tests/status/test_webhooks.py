"""Deliveries to real servers on loopback that take, refuse, hang, redirect, and never stop sending."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexvault.errors import SettingsError
from indexvault.settings.alerts import checked_address, checked_secret
from indexvault.settings.load import read_settings
from indexvault.status.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, Webhook, deliver
from tests.status.receivers import receiver, self_signed

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"
BODY = b'{"version":1}'
DOCS = Path(__file__).resolve().parents[2] / "docs" / "alerts.md"


def webhook(url: str, *, key: str | None = KEY) -> Webhook:
    return Webhook(name="operators", url=url, format="json", key=None if key is None else key.encode())


async def test_a_message_is_posted_signed() -> None:
    async with receiver() as server:
        assert await deliver(webhook(server.url), BODY, NOW) is None
        (got,) = server.received
    assert got.body == BODY
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers[TIMESTAMP_HEADER] == "1795165200"
    assert re.fullmatch("v1=[0-9a-f]{64}", got.headers[SIGNATURE_HEADER])


async def test_without_a_secret_it_is_not_signed() -> None:
    async with receiver() as server:
        assert await deliver(webhook(server.url, key=None), BODY, NOW) is None
        assert not {TIMESTAMP_HEADER, SIGNATURE_HEADER} & server.received[0].headers.keys()


async def test_the_snippet_of_the_page_verifies_it_and_nothing_else() -> None:
    """What docs/alerts.md tells receivers to do."""
    snippet = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert snippet is not None
    code: dict[str, object] = {}
    exec(snippet[1], code)  # noqa: S102 - the page's own
    verify = code["is_genuine"]
    assert callable(verify)
    now = datetime.now(UTC)
    async with receiver() as server:
        await deliver(webhook(server.url), BODY, now)
        got = server.received[0]
    headers = dict(got.headers)
    assert verify(KEY, headers, got.body)
    assert not verify(KEY[::-1], headers, got.body)
    assert not verify(KEY, headers, got.body + b" ")
    assert not verify(KEY, headers | {TIMESTAMP_HEADER: "1"}, got.body)
    assert not verify(KEY, {}, got.body)
    async with receiver() as server:
        await deliver(webhook(server.url), BODY, datetime.fromtimestamp(now.timestamp() - 900, UTC))
        assert not verify(KEY, dict(server.received[0].headers), server.received[0].body)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (201, None),
        (202, None),
        (400, "it answered 400"),
        (404, "it answered 404: there is no such webhook"),
        (429, "it answered 429: too many messages"),
        (500, "it answered 500"),
        ("redirect", "it sent a redirect (307), which is not followed"),
        ("hang", "it did not answer within 0.5 s"),
        ("endless", None),
        ("drop", "the connection broke (ServerDisconnectedError)"),
        ("huge-header", "the connection broke (ClientResponseError)"),
    ],
)
async def test_whatever_a_webhook_does_is_told_in_words_in_time(how: int | str, why: str | None) -> None:
    began = time.monotonic()
    async with receiver(how) as server:
        assert await deliver(webhook(server.url), BODY, NOW, seconds=0.5) == why
        assert len(server.received) == 1
        assert server.redirected == 0
    assert time.monotonic() - began < 5


async def test_an_untrusted_certificate_and_a_closed_port_are_refused(tmp_path: Path, closed_port: int) -> None:
    async with receiver(context=self_signed(tmp_path)) as server:
        assert await deliver(webhook(server.url), BODY, NOW) == "its certificate can't be trusted"
        assert server.received == []
        plain = server.url.replace("https://", "http://")
        assert "connection" in (await deliver(webhook(plain), BODY, NOW) or "")
    assert await deliver(webhook(f"http://127.0.0.1:{closed_port}/"), BODY, NOW) == "no connection could be made"
    assert await deliver(webhook(f"https://127.0.0.1:{closed_port}/"), BODY, NOW) == "no connection could be made"


async def test_a_server_without_tls_behind_an_https_address() -> None:
    async with receiver() as server:
        failure = await deliver(webhook(server.url.replace("http://", "https://")), BODY, NOW)
    assert failure in {"no TLS connection could be made", "no connection could be made"}


@pytest.mark.parametrize("url", ["https://hooks.example/services/T/B/x?sig=%2Fa", "http://127.0.0.1:8080/x"])
def test_addresses_that_are_used(url: str) -> None:
    assert checked_address(url, "url") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x",
        "https://user:word@hooks.example/x",
        "https://hooks.example/x#y",
        "ftp://hooks.example",
        "https://",
        "https://hooks.example:99999/x",
        "https://hooks.exa mple/x",
        "https://127.0.0.1\\@evil.example/",
        "file:///etc/passwd",
        "",
    ],
)
def test_addresses_that_are_not_are_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        checked_address(url, "settings $.alerts.webhooks.operators.url")
    assert not url or url not in str(refused.value)


def test_a_secret_that_could_be_guessed_is_refused() -> None:
    assert checked_secret(KEY, "secret") == KEY
    with pytest.raises(SettingsError) as refused:
        checked_secret("password", "secret")
    assert "password" not in str(refused.value)


SETTINGS = """{"stores": {"east": {"region": "eastus", "connection_string": "UseDevelopmentStorage=true"}},
 "services": {}, "alerts": {"webhooks": {"%s": {%s}}}}"""


def test_settings_of_a_webhook() -> None:
    text = '"url": {"env": "TEAMS"}, "format": "teams", "kinds": ["recovery-point"], "level": "red"'
    (found,) = read_settings(SETTINGS % ("operators", text)).alerts.webhooks.values()
    assert (found.url.env, found.format, found.kinds, found.level) == ("TEAMS", "teams", ("recovery-point",), "red")


@pytest.mark.parametrize(
    ("name", "text", "on"),
    [
        ("a_b", '"url": {"env": "A"}', "$.alerts.webhooks.a_b"),
        ("a", '"url": "https://hooks.example/x"', "$.alerts.webhooks[...].url"),
        ("a", '"url": {"env": "https://hooks.example/x?sig=abc"}', "$.alerts.webhooks.a.url.env"),
        ("a", '"url": {"env": "A"}, "kinds": ["recovery"]', "$.alerts.webhooks.a.kinds"),
        ("a", '"url": {"env": "A"}, "format": "mail"', "$.alerts.webhooks[...].format"),
        ("a", '"url": {"env": "A"}, "secret": {"env": "a b"}', "$.alerts.webhooks.a.secret.env"),
    ],
)
def test_settings_that_can_not_be_used(name: str, text: str, on: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(SETTINGS % (name, text))
    assert refused.value.on == f"settings {on}"
    assert "sig=" not in str(refused.value)
