"""The folder that the demo works in, with all that it leaves."""

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
    """Another demo works in the folder."""


class Keys(msgspec.Struct, frozen=True):
    """The keys of this demo's servers, made up when it began."""

    blob: str
    search: str


class Ground:
    """The demo's folder and what is where in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.azurite = folder / "azurite"
        self.services = folder / "services"
        self.settings = folder / "indexvault.json"
        self.environment = folder / "environment"
        self.copy = folder / "search-snapshots"
        self._keys = folder / "keys.json"

    @contextlib.contextmanager
    def taken(self, *, fresh: bool) -> Iterator[None]:
        """Keep other demos out for a block; `fresh` empties the folder first. Raises BusyError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(f"a demo is at work in {self.folder} already") from None
            if fresh:
                for entry in self.folder.iterdir():
                    if entry.name != "lock":
                        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            for entry in (self.azurite, self.services):
                entry.mkdir(exist_ok=True)
            yield

    @property
    def is_built(self) -> bool:
        """Whether a demo has been here before."""
        return self._keys.exists()

    def keys(self) -> Keys:
        """Return the keys of the servers: what the last demo here had, so that its data stays readable, or new ones."""
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
        """Write the settings of the servers as they run now, and a file of the variables they need. Gives those."""
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
