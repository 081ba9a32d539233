import io
import json
import os
import random
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import jsonschema_rs
import pytest

from indexvault.cli.commands.init import InitRequest, find_in_azure, read_request, run
from indexvault.cli.output import Output
from indexvault.cli.parser import parse
from indexvault.cli.session import BareSession
from indexvault.discovery import Cloud, Found, find_resources
from indexvault.errors import CancelledError, ConflictError, SettingsError, UnauthorizedError
from indexvault.settings.schema import schema_text
from tests.cli.terminal import EAST, Terminal
from tests.discovery.resource_graph import Graph, Identity, account, graph, service


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Desk:
    """Where somebody types `indexvault init`, signed in to a subscription."""

    def __init__(self, folder: Path, typed: int, keyboard: TextIO) -> None:
        self.folder = folder
        self.results, self.screen = io.StringIO(), Screen()
        self._typed = typed
        self._keyboard = keyboard

    async def init(self, *arguments: str, arm: Graph | None = None, answers: str | None = None) -> int:
        """Run the command; without `answers` there is no keyboard."""
        if answers is not None:
            os.write(self._typed, answers.encode())
        stdin = self._keyboard if answers is not None else None
        session = BareSession(
            environment={},
            config=None,
            folder=self.folder,
            output=Output(as_json=False, stdout=self.results, stderr=self.screen, stdin=stdin),
            clock=lambda: datetime.now(UTC),
            rng=random.Random(1),
        )

        async def find(cloud: Cloud) -> Found:
            assert cloud.management == "https://management.azure.com"
            if arm is None:
                raise UnauthorizedError("no Entra identity could be obtained", on="Azure Resource Graph", do="Sign in")
            return await find_resources(arm.cloud, Identity())

        return await run(session, request(*arguments), find=find)

    @property
    def settings(self) -> Any:
        return json.loads((self.folder / "indexvault.json").read_text())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    typed, read = os.openpty()
    with os.fdopen(typed, "wb", buffering=0), os.fdopen(read, encoding="utf-8") as keyboard:
        yield Desk(tmp_path, typed, keyboard)


def request(*arguments: str) -> InitRequest:
    return read_request(parse(["init", *arguments]))


@pytest.fixture(autouse=True)
def no_identity_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the check at the end find no identity at once, whatever this machine is signed in to."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")


NAMED = ("--tier", "standard", "--api-key-variable", "SEARCH_KEY", "--store", "env:STORE")


def test_from_nothing_to_a_first_snapshot(terminal: Terminal, tmp_path: Path) -> None:
    terminal.east.fill("notes", 10)
    file = tmp_path / "indexvault.json"
    here = ("--config", str(file))
    result = terminal.indexvault("init", *here, "--endpoint", terminal.east.endpoint, "--name", EAST, *NAMED)
    assert result.code == 0, result.stderr
    assert result.stdout.splitlines()[0].endswith("indexvault.schema.json beside it")
    assert result.stdout.splitlines()[-2:] == ["all checks passed", f"next: indexvault backup {EAST}"]
    settings = json.loads(file.read_text())
    assert settings == {
        "$schema": "./indexvault.schema.json",
        "stores": {"local": {"connection_string": {"env": "STORE"}, "region": "local"}},
        "services": {
            EAST: {
                "endpoint": terminal.east.endpoint,
                "region": "local",
                "tier": "standard",
                "store": "local",
                "api_key": {"env": "SEARCH_KEY"},
            }
        },
    }
    jsonschema_rs.validator_for(json.loads((tmp_path / "indexvault.schema.json").read_text())).validate(settings)
    assert terminal.indexvault("backup", EAST, *here).code == 0
    [listed] = terminal.indexvault("snapshots", f"{EAST}/notes", "--json", *here).records
    assert (listed["index"], listed["state"], listed["documents"]) == ("notes", "complete", 10)


def test_with_json_the_findings_are_records_and_nothing_is_asked(terminal: Terminal, tmp_path: Path) -> None:
    result = terminal.indexvault(
        "init", "--json", "--config", str(tmp_path / "x.json"), "--endpoint", terminal.east.endpoint, *NAMED
    )
    assert result.code == 0
    assert [record["event"] for record in result.records][:2] == ["written", "check"]
    assert (tmp_path / "x.json").is_file()


async def test_a_file_that_exists_is_replaced_only_by_force(desk: Desk, closed_port: int) -> None:
    file = desk.folder / "indexvault.json"
    file.write_text("mine")
    given = ("--endpoint", f"http://127.0.0.1:{closed_port}", *NAMED, "--yes")
    with pytest.raises(ConflictError, match="it exists"):
        await desk.init(*given)
    assert [each.name for each in desk.folder.iterdir()] == ["indexvault.json"]
    assert file.read_text() == "mine"
    await desk.init(*given, "--force")
    assert list(desk.settings["services"]) == ["local"]


async def test_a_link_that_leads_nowhere_is_a_file_that_exists(desk: Desk, closed_port: int) -> None:
    (desk.folder / "indexvault.json").symlink_to(desk.folder / "elsewhere.json")
    with pytest.raises(ConflictError, match="it exists"):
        await desk.init("--endpoint", f"http://127.0.0.1:{closed_port}", *NAMED, "--yes")
    assert not (desk.folder / "elsewhere.json").exists()


async def test_others_can_not_write_the_file_whatever_the_umask(desk: Desk, closed_port: int) -> None:
    before = os.umask(0)
    try:
        await desk.init("--endpoint", f"http://127.0.0.1:{closed_port}", *NAMED, "--yes")
    finally:
        os.umask(before)
    for name in ("indexvault.json", "indexvault.schema.json"):
        assert stat.S_IMODE((desk.folder / name).stat().st_mode) == 0o644


async def test_the_schema_alone_is_written_beside_settings_that_exist(desk: Desk) -> None:
    (desk.folder / "indexvault.json").write_text("mine")
    assert await desk.init("--schema") == 0
    assert (desk.folder / "indexvault.schema.json").read_text() == schema_text()
    assert (desk.folder / "indexvault.json").read_text() == "mine"


@pytest.mark.parametrize("given", ["sk-0123456789==", "a key", "", "9" * 52])
def test_a_key_where_a_name_belongs_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(SettingsError) as refused:
        request("--api-key-variable", given)
    assert not given or given not in str(refused.value)


async def test_a_connection_string_with_a_key_is_not_written(desk: Desk) -> None:
    given = (
        "--endpoint",
        "http://127.0.0.1:1",
        "--tier",
        "basic",
        "--store",
        "AccountName=a;AccountKey=c2VjcmV0",
        "--yes",
    )
    with pytest.raises(SettingsError) as refused:
        await desk.init(*given)
    assert "c2VjcmV0" not in str(refused.value)
    assert list(desk.folder.iterdir()) == []


async def test_without_an_identity_one_line_says_so_and_the_endpoint_is_missing(desk: Desk) -> None:
    with pytest.raises(SettingsError, match=r"--endpoint: it is not known\. Give it: indexvault init --endpoint"):
        await desk.init()
    assert desk.screen.getvalue().count("your services can't be looked up (Azure Resource Graph: no Entra") == 1
    assert list(desk.folder.iterdir()) == []


async def test_what_is_found_needs_no_answer(desk: Desk) -> None:
    rows = [service("contoso-east"), service("contoso-west", location="westus", tier="basic"), account("contosoeast")]
    with graph(rows) as arm:
        code = await desk.init("--yes", arm=arm)
    assert code != 0  # nobody is signed in here, so the check fails and says so
    assert "no Entra identity could be obtained" in desk.results.getvalue()
    assert desk.settings["stores"] == {
        "contosoeast": {"account_url": "https://contosoeast.blob.core.windows.net", "region": "eastus"}
    }
    assert {
        name: (each["region"], each["tier"], each["store"]) for name, each in desk.settings["services"].items()
    } == {
        "contoso-east": ("eastus", "standard", "contosoeast"),
        "contoso-west": ("westus", "basic", "contosoeast"),
    }


async def test_of_several_accounts_none_is_chosen_silently(desk: Desk) -> None:
    rows = [service("contoso-east"), account("contosoeast"), account("payroll")]
    with graph(rows) as arm, pytest.raises(SettingsError, match="--store: it is not known"):
        await desk.init("--yes", arm=arm)


async def test_whoever_is_at_the_terminal_chooses(desk: Desk) -> None:
    rows = [
        service("contoso-east"),
        service("contoso-west", location="westus", tier="basic"),
        account("payroll"),
        account("contosowest", location="westus"),
    ]
    with graph(rows) as arm:
        await desk.init(arm=arm, answers="2\n\n")
    shown = desk.screen.getvalue()
    assert "1  contoso-east (eastus, standard)" in shown
    assert "1  https://contosowest.blob.core.windows.net (westus)" in shown  # the one in the service's region first
    assert list(desk.settings["services"]) == ["contoso-west"]
    assert list(desk.settings["stores"]) == ["contosowest"]


async def test_without_an_identity_everything_is_asked_for(desk: Desk, closed_port: int) -> None:
    answers = f"http://127.0.0.1:{closed_port}/\nbasic\nenv:STORE\nwestus\n"
    await desk.init(answers=answers)
    assert desk.settings["services"]["local"]["endpoint"] == f"http://127.0.0.1:{closed_port}"
    assert desk.settings["services"]["local"]["tier"] == "basic"
    assert desk.settings["stores"]["local"] == {"connection_string": {"env": "STORE"}, "region": "westus"}


async def test_a_wrong_answer_writes_nothing(desk: Desk, closed_port: int) -> None:
    with pytest.raises(SettingsError, match="expected one of"):
        await desk.init(answers=f"http://127.0.0.1:{closed_port}\nenormous\nenv:STORE\n\n")
    assert list(desk.folder.iterdir()) == []


async def test_the_end_of_the_input_ends_it(desk: Desk) -> None:
    with pytest.raises(CancelledError, match="the input ended"):
        await desk.init(answers="\x04")
    assert list(desk.folder.iterdir()) == []


async def test_what_this_machine_is_signed_in_to_is_asked_in_the_cloud_alone() -> None:
    elsewhere = Cloud("http://management.azure.com", "login.microsoftonline.com", ".search.windows.net")
    with pytest.raises(SettingsError, match="expected https"):
        await find_in_azure(elsewhere)


def test_all_that_is_missing_is_named_at_once(terminal: Terminal, tmp_path: Path) -> None:
    here = ("--config", str(tmp_path / "indexvault.json"))
    endpoint = ("--endpoint", "https://contoso-east.search.windows.net")
    for given, missing in (
        (endpoint, ["--region", "--tier", "--store"]),
        ((*endpoint, "--tier", "S1"), ["--region", "--store"]),
        (("--endpoint", terminal.east.endpoint), ["--tier", "--store"]),
    ):
        result = terminal.indexvault("init", *here, *given)
        assert result.code == 2
        assert result.error_line.startswith(f"{missing[0]}: it is not known")
        assert re.findall(r"--\w+", result.error_line.partition("indexvault init ")[2]) == missing
        assert "--store https://contosoeast.blob.core.windows.net" in result.error_line


def test_tiers_may_be_named_as_the_portal_names_them(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "indexvault.json"
    given = ("--config", str(file), "--endpoint", terminal.east.endpoint, *NAMED)
    result = terminal.indexvault("init", *given, "--tier", "S1")
    assert result.code == 0, result.stderr
    assert [each["tier"] for each in json.loads(file.read_text())["services"].values()] == ["standard"]


@pytest.mark.parametrize(
    ("option", "typed", "advice"),
    [
        ("--endpoint", "contoso-east", "Write it as https://contoso-east.search.windows.net"),
        ("--store", "contosoeast", "Write it as https://contosoeast.blob.core.windows.net"),
        ("--store", "contosoeast.blob.core.windows.net", "Write it as https://contosoeast.blob.core.windows.net"),
        ("--store", "MY_STORE", "--store env:MY_STORE"),
        ("--store", "what/ever", "https://ACCOUNT.blob.core.windows.net, or env:VARIABLE"),
    ],
)
def test_half_an_address_says_what_the_whole_one_is(option: str, typed: str, advice: str) -> None:
    with pytest.raises(SettingsError) as refused:
        request(option, typed)
    assert advice in str(refused.value)
    assert refused.value.on == option


def test_a_host_alone_is_an_endpoint() -> None:
    assert (
        request("--endpoint", "contoso-east.search.windows.net").endpoint == "https://contoso-east.search.windows.net"
    )


def test_what_to_do_after_a_failed_check(terminal: Terminal, tmp_path: Path) -> None:
    result = terminal.indexvault(
        "init", "--config", str(tmp_path / "x.json"), "--endpoint", terminal.east.endpoint, *NAMED, SEARCH_KEY="wrong"
    )
    assert result.code == 1
    assert result.stdout.splitlines()[-1].startswith("next: correct what failed")
