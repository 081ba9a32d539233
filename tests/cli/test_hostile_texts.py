"""Nothing that a service, a store or a deployment says can control the terminal, whichever verb prints it."""

import ast
import asyncio
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table
from rich.text import Text

from indexvault.cli.logs import configure_logs
from indexvault.cli.output import Output
from indexvault.cli.parser import parse
from indexvault.cli.run import run
from indexvault.cli.verbs import VERBS
from indexvault.errors import RefusedError
from indexvault.model import IndexName
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.manifest import Loss
from indexvault.workflow.lock import Lock
from indexvault.workflow.logs import label_entries, labelled
from tests.cli.terminal import EAST, WEST, Terminal
from tests.snapshots.samples import MORNING, write_snapshot

HOSTILE = (
    "\x1b]0;pwned\x07\x1b]8;;http://stranger\x1b\\\x1b[2J\x1b[1;1H\x9b2J\x9d0;pwned\x9c\x90q\r\x08\x0b\x0c\x7f"
    "\u202e\u2066\u200f\u2028[link=http://stranger]\nindexvault: everything is fine"
)
FORGED = "indexvault: everything is fine"
CONTROL = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x2066, 0x206A))}
CONTROL |= set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e") - {"\n"}


class TerminalStream(io.StringIO):
    def isatty(self) -> bool:
        return True


def check_harmless(text: str) -> None:
    assert (CONTROL - {"\n"}) & set(text) == set()
    assert not [line for line in text.splitlines() if line.startswith(FORGED)]


def check_terminal(text: str) -> None:
    """On a terminal our own styles, bars and cursor moves are sequences too, but never these."""
    for sequence in (
        "\x1b]",
        "\x1b[2J",
        "\x1b[1;1H",
        "\x07",
        "\x08",
        "\x7f",
        "\x90",
        "\x9b",
        "\x9d",
        "\u202e",
        "\u2028",
    ):
        assert sequence not in text
    assert not [line for line in text.replace("\r", "\n").splitlines() if line.startswith(FORGED)]


def table() -> Table:
    shown = Table(title=HOSTILE)
    shown.add_column(HOSTILE, overflow="fold")
    shown.add_column("b", overflow="fold")
    shown.add_row(HOSTILE, Text(HOSTILE, style="bold"))
    return shown


def print_everything(output: Output) -> None:
    output.result(HOSTILE, {"name": HOSTILE, HOSTILE: [HOSTILE]}, HOSTILE, Text(HOSTILE), table())
    output.show(HOSTILE, Text.assemble(("a", "red"), HOSTILE))
    output.error(RefusedError(HOSTILE, on=HOSTILE, do=HOSTILE))
    with output.progress(HOSTILE) as progress:
        progress.advance(HOSTILE, documents=1)
        progress.advance("load", documents=2)
    logging.getLogger(HOSTILE).warning("%s", HOSTILE, extra={"service": HOSTILE, "operation": HOSTILE})
    try:
        int(HOSTILE)
    except ValueError:
        logging.getLogger("x").exception(HOSTILE)


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("stream", "check"), [(io.StringIO, check_harmless), (TerminalStream, check_terminal)])
def test_everything_printed_is_harmless(
    stream: Callable[[], io.StringIO], check: Callable[[str], None], *, as_json: bool
) -> None:
    stdout, stderr = stream(), stream()
    output = Output(as_json=as_json, stdout=stdout, stderr=stderr)
    configure_logs("debug", output.notes, as_json=as_json)
    print_everything(output)
    check(stdout.getvalue())
    check(stderr.getvalue())
    if as_json:
        first = json.loads(stdout.getvalue().splitlines()[0])
        assert first == {"event": HOSTILE, "name": HOSTILE, HOSTILE: [HOSTILE]}
        entries = [json.loads(line) for line in stderr.getvalue().splitlines() if line.startswith("{")]
        assert {entry["message"] for entry in entries if "logger" in entry} == {HOSTILE}


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("labels", [{}, {"run": "the-run"}])
def test_the_log_of_the_app_is_harmless(labels: dict[str, str]) -> None:
    paper = io.StringIO()
    root = logging.getLogger()
    root.handlers = [logging.StreamHandler(paper)]
    label_entries(root)
    with labelled(labels):
        logging.getLogger("indexvault").warning("%s", HOSTILE)
    check_harmless(paper.getvalue())


def test_only_the_output_writes_to_the_streams() -> None:
    room = Path(__file__).parents[2] / "indexvault" / "cli"
    writers = set()
    for path in room.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="print" | "Console" | "open_console")):
                    writers.add(path.name)
                case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr"):
                    writers.add(path.name)
                case ast.Call(func=ast.Attribute(attr="write" | "writelines")):
                    writers.add(path.name)
    # `main` passes the streams on, and writes a constant; `parser` ends with the caller's own arguments; `preflight`
    # writes a new file, `diff` a temporary one, which a terminal is not.
    assert writers <= {"diff.py", "main.py", "output.py", "parser.py", "preflight.py"}


class _HostileServer(BaseHTTPRequestHandler):
    """Refuses every request in the form that its caller expects, with hostile texts in each part."""

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "/api/" in self.path:
            body, kind = json.dumps(dict.fromkeys(("type", "title", "detail", "what", "on", "do"), HOSTILE)), "json"
            body = body[:-1] + ', "status": 409, "kind": "ConflictError"}'
        elif "/account" in self.path:
            escaped = "".join(
                f"&#{ord(c)};" if c > "~" or c in "\n\r<&" else c for c in HOSTILE if c >= " " or c in "\n\r"
            )
            body, kind = f"<Error><Code>{escaped}</Code><Message>{escaped}</Message></Error>", "xml"
        else:
            body, kind = json.dumps({"error": {"code": HOSTILE, "message": HOSTILE}}), "json"
        data = body.encode()
        self.send_response_only(409, "\x1b]0;pwned\x07")
        self.send_header("Content-Type", f"application/{kind}")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _refuse  # noqa: N815 - the library's names

    def log_message(self, *_given: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def hostile_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _HostileServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


ASK_NOBODY = {"serve", "completion", "init"}
"""Verbs that read neither a service, a store nor a deployment of the settings."""
ARGUMENTS = {
    "backup": [EAST, "notes"],
    "heal": [EAST],
    "unlock": [f"{EAST}/notes"],
    "snapshots": [f"{EAST}/notes"],
    "show": [f"{EAST}/notes@latest"],
    "verify": [f"{EAST}/notes@latest"],
    "restore": [f"{EAST}/notes@latest", "--to", f"{WEST}/notes"],
    "move": [f"{EAST}/notes", "--to", f"{WEST}/notes"],
    "prune": [f"{EAST}/notes", "--yes"],
    "pin": [f"{EAST}/notes@latest", "--reason", "kept"],
    "unpin": [f"{EAST}/notes@latest"],
    "protect": [f"{EAST}/notes@latest"],
    "unprotect": [f"{EAST}/notes@latest"],
    "alerts": [],
    "policies": ["explain"],
    "stats": [],
    "delete": [f"{EAST}/notes@20261120T020000Z-7f3a9c", "--yes"],
    "repair": [f"{EAST}/notes"],
    "replicate": [f"{EAST}/notes"],
    "diff": [f"{EAST}/notes@latest", f"{EAST}/notes"],
    "compare": [f"{EAST}/notes", f"{EAST}/rooms"],
    "drill": [f"{EAST}/notes", "--to", EAST],
    "follow": ["contoso"],
    "failover": ["contoso", "--yes"],
    "failback": ["contoso", "--yes"],
    "find": [f"{EAST}/notes", "000001"],
    "export": [f"{EAST}/notes@latest", "/nonexistent/folder"],
    "import": ["/nonexistent/folder", "--as", f"{EAST}/notes"],
    "runs": [],
    "status": [],
    "cancel": ["20261120T020000Z-backup-7f3a9c"],
    "records": ["local"],
    "accept": [f"{EAST}/notes@latest"],
    "check": [],
    "readiness": [],
}


def settings(service: str) -> str:
    of_service = {
        "endpoint": service,
        "region": "eastus",
        "tier": "standard",
        "store": "local",
        "api_key": {"env": "K"},
    }
    return json.dumps(
        {
            "stores": {
                "local": {"connection_string": {"env": "STORE"}, "region": "local"},
                "away": {
                    "connection_string": {"env": "STORE"},
                    "region": "westus",
                    "snapshots_container": "away-snapshots",
                    "runs_container": "away-runs",
                },
            },
            "services": {EAST: of_service, WEST: of_service | {"region": "westus", "store": "away"}},
            "policies": {
                "nightly": {
                    "service": EAST,
                    "schedule": "0 0 2 * * *",
                    "keep": {"last": 1},
                    "replicate_to": ["away"],
                }
            },
            "pairs": {
                "contoso": {
                    "primary": EAST,
                    "standby": WEST,
                    "recovery_point": "P2D",
                    "recovery_time": "PT30M",
                    "allow_cross_region": True,
                }
            },
        }
    )


def say(*arguments: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command in this process and return its code and all that it printed."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run(parse(arguments), environment, stdout=stdout, stderr=stderr)
    return code, stdout.getvalue() + stderr.getvalue()


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("verb", sorted(VERBS.keys() - ASK_NOBODY))
def test_refusals_of_a_deployment_are_harmless(hostile_url: str, verb: str, form: list[str]) -> None:
    code, said = say("--url", hostile_url, *form, verb, *ARGUMENTS[verb], environment={"INDEXVAULT_KEY": "k"})
    assert code != 0
    check_harmless(said)


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {"runs", "cancel"} - ASK_NOBODY))
def test_refusals_of_services_and_stores_are_harmless(hostile_url: str, storage_account: str, verb: str) -> None:
    hostile_store = (
        f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey=a2V5;BlobEndpoint={hostile_url}/account"
    )
    for store in (hostile_store, storage_account):
        environment = {"INDEXVAULT_CONFIG": settings(hostile_url), "STORE": store, "K": "key"}
        _code, said = say("--log-level", "info", verb, *ARGUMENTS[verb], environment=environment)
        assert said
        check_harmless(said)


def test_names_and_reasons_in_a_store_are_harmless(terminal: Terminal, storage_account: str, tmp_path: Path) -> None:
    terminal.east.fill("notes", 3)

    async def prepare() -> None:
        async with AzureStore.from_connection_string("local", storage_account) as store:
            await store.prepare()
            lines = {"1": json.dumps({"HotelId": "1", "Name": HOSTILE, HOSTILE: 1}, ensure_ascii=False).encode()}
            losses = (Loss(field=HOSTILE, reason=HOSTILE),)
            for day in range(2):
                await write_snapshot(
                    store.snapshots,
                    lines,
                    index="notes",
                    created=MORNING + timedelta(days=day),
                    losses=losses,
                )
                lines["1"] = lines["1"].replace(b"pwned", b"owned")
            index = IndexName(EAST, "notes")
            await Lock(store.runs, index, run="a-run", owner=HOSTILE, clock=lambda: MORNING).take()

    asyncio.run(prepare())
    environment = {"INDEXVAULT_CONFIG": json.dumps(terminal.settings), **terminal.environment}
    arguments = {
        **ARGUMENTS,
        "find": [f"{EAST}/notes", "1", "--show"],
        "pin": [f"{EAST}/notes@latest", "--reason", HOSTILE],
        "protect": [f"{EAST}/notes@latest", "--reason", HOSTILE],
        "unprotect": [f"{EAST}/notes@latest"],
    }
    arguments["export"] = [f"{EAST}/notes@latest", str(tmp_path / "exported")]
    arguments["diff"] = [f"{EAST}/notes@{MORNING:%Y-%m-%dT%H:%MZ}", f"{EAST}/notes@latest", "--fields"]
    verbs = "pin protect unprotect alerts stats snapshots show verify find diff compare drill export restore check"
    verbs += " unlock unpin"
    for verb in verbs.split():
        for form in ([], ["--json"]):
            code, said = say(*form, verb, *arguments[verb], environment=environment)
            assert said, (verb, code)
            check_harmless(said)
