"""Webhooks with their secrets, and the signature of what they are sent.

A webhook's address is a secret, since whoever has it can post there. It is in no error, log or record.
"""

import hashlib
import hmac
from datetime import datetime

import msgspec

from indexvault.clients import Clients
from indexvault.settings.alerts import checked_address, checked_secret
from indexvault.settings.model import WebhookSettings
from indexvault.status.cards import Format

CALL_SECONDS = 10.0
TIMESTAMP_HEADER = "X-Indexvault-Timestamp"
SIGNATURE_HEADER = "X-Indexvault-Signature"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook with its secrets; never shown. `key` signs messages, None for none."""

    name: str
    url: str
    format: Format
    key: bytes | None

    def __repr__(self) -> str:
        """Show the name alone."""
        return f"Webhook({self.name!r})"


def open_webhook(clients: Clients, name: str, settings: WebhookSettings) -> Webhook:
    """Return a webhook with the secrets that its settings name. Raises SettingsError if one can't be used."""
    path = f"settings $.alerts.webhooks.{name}"
    key = None
    if settings.secret is not None:
        on = f"{path}.secret"
        key = checked_secret(clients.secret(settings.secret, on), on).encode()
    on = f"{path}.url"
    url = checked_address(clients.secret(settings.url, on), on)
    return Webhook(name=name, url=url, format=settings.format, key=key)


def signature_of(key: bytes, timestamp: str, body: bytes) -> str:
    """Return the signature of a message: `v1=` and the HMAC-SHA256 of its timestamp, a dot and its body, in hex."""
    return f"v1={hmac.new(key, timestamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


async def deliver(webhook: Webhook, body: bytes, now: datetime, *, seconds: float = CALL_SECONDS) -> str | None:
    """Post a message, and return None, or in words why it was not taken. Raises nothing that a webhook can cause."""
    from indexvault.status.posting import post  # noqa: PLC0415 - loads aiohttp, which is slow

    headers: dict[str, str] = {}
    if webhook.key is not None:
        timestamp = f"{int(now.timestamp())}"
        headers = {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature_of(webhook.key, timestamp, body)}
    return await post(webhook.url, body, headers, seconds)
