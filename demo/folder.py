"""The demo's folder: settings, keys, the servers' data and a copy of the snapshots."""

import base64
import contextlib
import fcntl
import json
import secrets
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

ACCOUNT = "demo"
STORE = "local"
SERVICES = (("contoso-east", "standard", "eastus"), ("contoso-west", "basic", "westus"))
SOURCE, TARGET = SERVICES[0][0], SERVICES[1][0]
KEY_VARIABLE = "DEMO_SEARCH_KEY"
STORE_VARIABLE = "DEMO_STORE"


class BusyError(Exception):
    """Another demo is using the folder."""


class Keys(msgspec.Struct, frozen=True):
    """The keys of this demo's servers, random for each demo."""

    blob: str
    search: str


class DemoFolder:
    """The demo's folder and the paths in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.azurite = path / "azurite"
        self.services = path / "services"
        self.settings = path / "indexvault.json"
        self.environment = path / "environment"
        self.copy = path / "search-snapshots"
        self._keys = path / "keys.json"

    @contextlib.contextmanager
    def taken(self, *, fresh: bool) -> Iterator[None]:
        """Lock the folder for a block; `fresh` empties it first. Raises BusyError if another demo has the lock."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(f"a demo is at work in {self.path} already") from None
            if fresh:
                for entry in self.path.iterdir():
                    if entry.name != "lock":
                        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            for entry in (self.azurite, self.services):
                entry.mkdir(exist_ok=True)
            yield

    @property
    def is_built(self) -> bool:
        """Whether the folder holds an earlier demo."""
        return self._keys.exists()

    def keys(self) -> Keys:
        """Return the servers' keys: those of the folder's last demo, so that its data stays readable, or new ones."""
        if self.is_built:
            return msgspec.json.decode(self._keys.read_bytes(), type=Keys)
        keys = Keys(blob=base64.b64encode(secrets.token_bytes(64)).decode(), search=secrets.token_hex(16))
        self._keys.touch(mode=0o600)
        self._keys.write_bytes(msgspec.json.encode(keys))
        return keys

    def endpoint(self, search_port: int) -> str:
        """Return the address of the source service."""
        return f"http://127.0.0.1:{search_port}"

    def write_settings(self, keys: Keys, blob_port: int, search_port: int) -> dict[str, str]:
        """Write settings for the running servers and a file of the environment variables; return these variables."""
        settings = {
            "stores": {STORE: {"connection_string": {"env": STORE_VARIABLE}, "region": "local"}},
            "allow_cross_region": True,
            "services": {
                name: {
                    "endpoint": f"http://127.0.0.1:{search_port + offset}",
                    "region": region,
                    "tier": tier,
                    "store": STORE,
                    "api_key": {"env": KEY_VARIABLE},
                }
                for offset, (name, tier, region) in enumerate(SERVICES)
            },
        }
        self.settings.write_text(json.dumps(settings, indent=2) + "\n")
        variables = {
            "INDEXVAULT_CONFIG": str(self.settings.resolve()),
            KEY_VARIABLE: keys.search,
            STORE_VARIABLE: (
                f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={keys.blob};"
                f"BlobEndpoint=http://127.0.0.1:{blob_port}/{ACCOUNT};"
            ),
        }
        self.environment.touch(mode=0o600)
        self.environment.write_text("".join(f"export {name}={shlex.quote(text)}\n" for name, text in variables.items()))
        return variables
