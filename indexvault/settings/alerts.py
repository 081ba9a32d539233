"""Check where alerts are sent: names of variables, known kinds, and the addresses in them."""

from indexvault.errors import SettingsError
from indexvault.search.addresses import host_of
from indexvault.settings.model import AlertSettings
from indexvault.settings.secrets import check_variable
from indexvault.suggestions import suggestion

KINDS = (
    "check-failed",
    "drift",
    "drill",
    "follow-failed",
    "follow-off",
    "gone",
    "integrity",
    "late",
    "lossy",
    "no-snapshot",
    "recovery-point",
    "replica",
    "revealed",
    "role",
    "run-failed",
    "stale-lock",
    "standby",
    "unauthentic",
    "undelivered",
    "unproved",
    "unread",
    "unsettled",
    "unverified",
)
"""Every kind of alert."""
SHORTEST_SECRET = 32


def check_webhooks(alerts: AlertSettings) -> None:
    """Raise SettingsError for a secret in place of a variable's name, and for a kind that there is not."""
    for name, webhook in alerts.webhooks.items():
        path = f"settings $.alerts.webhooks.{name}"
        check_variable(webhook.url.env, f"{path}.url")
        if webhook.secret is not None:
            check_variable(webhook.secret.env, f"{path}.secret")
        for kind in webhook.kinds:
            if kind not in KINDS:
                raise SettingsError(
                    f"there is no kind of alert {kind!r}",
                    on=f"{path}.kinds",
                    do=f"Known: {', '.join(KINDS)}{suggestion(kind, KINDS)}",
                )


def checked_address(url: str, on: str) -> str:
    """Return a webhook's address. Raises SettingsError, without repeating it, unless it is https or on loopback."""
    if host_of(url) is None or "#" in url:
        raise SettingsError(
            "expected an https address that can be read in one way only", on=on, do="Copy it from the webhook"
        )
    return url


def checked_secret(secret: str, on: str) -> str:
    """Return what messages are signed with. Raises SettingsError for one that could be guessed."""
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"expected {SHORTEST_SECRET} characters or more", on=on, do="Make one with `openssl rand -hex 32`"
        )
    return secret
