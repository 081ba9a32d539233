"""A stand-in for Azure Resource Graph on loopback, and an identity that it takes."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from indexvault.discovery import Cloud
from tests.loopback import QuietHandler, serving

SUBSCRIPTION = "/subscriptions/0a0a0a0a-1111-4222-8333-444444444444/resourceGroups/search-rg/providers"
TOKEN = "a-token-for-resource-manager"


class Identity:
    """An identity with a token, or without one."""

    def __init__(self, *, token: str | None = TOKEN) -> None:
        self.scopes: list[str] = []
        self._token = token

    async def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        self.scopes += scopes
        if self._token is None:
            raise ClientAuthenticationError("nobody is signed in")
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


def service(name: str, /, **changes: Any) -> dict[str, Any]:
    row = {
        "id": f"{SUBSCRIPTION}/Microsoft.Search/searchServices/{name}",
        "name": name,
        "type": "microsoft.search/searchservices",
        "location": "eastus",
        "tier": "standard",
        "hosting": "default",
        "blobs": "",
    }
    return {**row, **changes}


def account(name: str, /, **changes: Any) -> dict[str, Any]:
    row = {
        "id": f"{SUBSCRIPTION}/Microsoft.Storage/storageAccounts/{name}",
        "name": name,
        "type": "microsoft.storage/storageaccounts",
        "location": "eastus",
        "tier": "Standard_LRS",
        "hosting": "",
        "blobs": f"https://{name}.blob.core.windows.net/",
    }
    return {**row, **changes}


@dataclass
class Graph:
    """What it answers, page by page, and what it was asked."""

    cloud: Cloud
    pages: Sequence[Any]
    status: int = 200
    asked: list[tuple[str, str, Any]] = field(default_factory=list)


@contextmanager
def graph(*pages: Any, status: int = 200) -> Iterator[Graph]:
    """Answer with pages of rows, one after the other; a page of bytes is sent as it is."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 - what the library calls
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            running.asked.append((self.path, self.headers.get("Authorization", ""), body))
            number = int(body["options"].get("$skipToken", 0))
            page = pages[number]
            answer: dict[str, Any] = {"totalRecords": 1, "count": 1, "facets": [], "resultTruncated": "false"}
            if not isinstance(page, bytes):
                answer |= {"data": page} | ({"$skipToken": str(number + 1)} if number + 1 < len(pages) else {})
            data = page if isinstance(page, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving(Handler) as address:
        running = Graph(Cloud(address, "login.microsoftonline.com", ".search.windows.net"), pages)
        yield running
