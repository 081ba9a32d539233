"""A request for a page, and the answer, whatever serves them: Azure Functions, or the command line on loopback."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, urlencode

from indexvault.api.endpoint import Call, Host
from indexvault.pages.html import Element
from indexvault.pages.tokens import Tokens
from indexvault.status.watch import Watch
from indexvault.workflow.activity import Resources
from indexvault.workflow.durable import DurableEngine

SECURITY_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "strict-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""The policy for referrers keeps the key in an address from every other site, and lets `Origin` say where a form was
sent from: without any referrer it would be `null`. Source: Fetch standard, append a request Origin header."""


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of pages. `prefix` is what comes before them, `code` the function key that each has to carry."""

    prefix: str = ""
    code: str = ""

    def home(self, **query: str) -> str:
        """Return the address of the overview."""
        return f"{self.prefix}/{self._query(query)}"

    def page(self, *path: str, **query: str) -> str:
        """Return the address of another page."""
        return f"{self.prefix}/page/{'/'.join(quote(part, safe='') for part in path)}{self._query(query)}"

    def asset(self, name: str) -> str:
        """Return the address of a script or style sheet, which needs no key."""
        return f"{self.prefix}/page/assets/{name}"

    def _query(self, query: Mapping[str, str]) -> str:
        members = {**({"code": self.code} if self.code else {}), **query}
        return f"?{urlencode(members)}" if members else ""


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """One request. `path` is what follows `/page/`, decoded and split; it is empty for the overview.

    `headers` have lower-case names. `caller` tells callers apart without telling their keys. `is_local` says that the
    command line serves the page.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    links: Links
    host: Host
    engine: DurableEngine
    watch: Watch
    tokens: Tokens
    caller: str = ""
    user: str = ""
    is_local: bool = False
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    @cached_property
    def resources(self) -> Resources:
        """The resources of activities. Raises SettingsError if the settings can't be used."""
        return self.host.resources

    def call[Body, Query, Path](self, body: Body, query: Query, path: Path) -> Call[Body, Query, Path]:
        """Return the call of an endpoint of the API on behalf of this request."""
        return Call(body=body, query=query, path=path, host=self.host, engine=self.engine, caller=self.caller)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageResponse:
    """An answer."""

    status: int
    body: bytes = b""
    media_type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page before it is laid out.

    `here` marks the entry of the navigation, `trail` leads from the overview to it. `refresh` is after how many
    seconds a browser with JavaScript reads it again.
    """

    title: str
    content: Element
    status: int = 200
    here: str = ""
    trail: tuple[tuple[str, str], ...] = ()
    refresh: int | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """See another page, after a form."""

    address: str


def content_security_policy(nonce: str) -> str:
    """Return the policy of a page: its own style sheet and script, by nonce; forms and requests to itself only."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
