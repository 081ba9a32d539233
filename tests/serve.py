"""`make serve`: run the app on this machine, with Azurite and two emulated services, and print requests to try.

The policy, which is due as soon as the timer looks, backs up another index than the printed lines work on: neither
finds the other's lock.
"""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from demo.folder import SOURCE, TARGET, DemoFolder
from demo.hotels import INDEX, SYNONYM_MAP, definition, documents, synonym_map
from demo.processes import servers

PORT = 7071
ARCHIVE = "archive"
POLICIES = {"nightly": {"service": SOURCE, "indexes": ["*", f"!{INDEX}*"], "schedule": "0 0 2 * * *"}}
_DOCUMENTS = 5_000
_API_VERSION = "2026-04-01"
LINES = """
The app runs at {url} until Control-C; its log is below. With this key every line works as it stands:

  export KEY={key}

  curl -s {url}/api/health
  curl -s {url}/api/openapi.json -H "x-functions-key: $KEY"
  curl -si {url}/api/backups -H "x-functions-key: $KEY" -d '{{"service": "{source}", "indexes": ["{index}"]}}'
  until curl -s {url}/api/snapshots/{source}/{index}/latest -H "x-functions-key: $KEY" -f -o /dev/null; do sleep 1; done
  curl -s {url}/api/runs -H "x-functions-key: $KEY"
  curl -s {url}/api/snapshots -H "x-functions-key: $KEY"
  curl -si {url}/api/restores -H "x-functions-key: $KEY" \\
       -d '{{"snapshot": "{source}/{index}@latest", "target_service": "{target}"}}'
  curl -si -X POST {url}/admin/functions/start_due_policies -H "x-functions-key: {master}" -d '{{}}'

The last one fires the timer, which fires by itself every five minutes. Its policy backs up another index than {index}.
"""


def main() -> int:
    """Run until Control-C, SIGTERM or SIGHUP; nothing that it starts outlives it."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if not _is_free(port):
        sys.stderr.write(
            f"serve: port {port} is taken on this machine, perhaps by another `make serve`. Stop that one, or take"
            " another port: make serve PORT=7072\n"
        )
        return 1
    with contextlib.suppress(KeyboardInterrupt):
        return _serve(port)
    return 0


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


def _serve(port: int) -> int:
    with tempfile.TemporaryDirectory(prefix="indexvault-serve-") as path, contextlib.ExitStack() as stack:
        folder = DemoFolder(Path(path))
        stack.enter_context(folder.taken(fresh=True))
        keys = folder.keys()
        blob_port, search_port = stack.enter_context(servers(folder, keys))
        _fill(folder.endpoint(search_port), keys.search)
        environment = os.environ | folder.write_settings(keys, blob_port, search_port)
        settings = json.loads(folder.settings.read_text())
        settings["policies"] = POLICIES
        folder.settings.write_text(json.dumps(settings))
        function_key, master_key = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        host = subprocess.Popen(  # noqa: S603 - our own host
            [sys.executable, "-m", "tests.host", "--port", str(port)],
            env=environment | {"HOST_FUNCTION_KEY": function_key, "HOST_MASTER_KEY": master_key},
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(_end, host)
        assert host.stdout is not None
        line = host.stdout.readline()
        if not line:
            return host.wait()
        sys.stdout.write(
            LINES.format(
                url=json.loads(line)["url"],
                key=function_key,
                master=master_key,
                source=SOURCE,
                target=TARGET,
                index=INDEX,
            )
        )
        sys.stdout.flush()
        return host.wait()


def _fill(endpoint: str, key: str) -> None:
    """Create the demo's index, with fewer documents, on the first service."""
    _send(endpoint, key, "PUT", f"/synonymmaps('{SYNONYM_MAP}')", synonym_map())
    _send(endpoint, key, "PUT", f"/indexes('{INDEX}')", definition())
    archive = json.dumps({**json.loads(definition()), "name": ARCHIVE}).encode()
    _send(endpoint, key, "PUT", f"/indexes('{ARCHIVE}')", archive)
    lines = [line for _key, line in documents(_DOCUMENTS)]
    for start in range(0, len(lines), 500):
        batch = [{**json.loads(line), "@search.action": "upload"} for line in lines[start : start + 500]]
        _send(endpoint, key, "POST", f"/indexes('{INDEX}')/docs/search.index", json.dumps({"value": batch}).encode())


def _send(endpoint: str, key: str, method: str, path: str, body: bytes) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the emulator on loopback
        f"{endpoint}{path}?api-version={_API_VERSION}",
        data=body,
        method=method,
        headers={"api-key": key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
        return answer.read()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _end(host: "subprocess.Popen[str]") -> None:
    host.send_signal(signal.SIGTERM)
    host.wait(30)


if __name__ == "__main__":
    sys.exit(main())
