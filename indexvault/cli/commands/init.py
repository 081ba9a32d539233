"""`indexvault init`: from nothing to settings that are checked."""

import os
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.commands.check import print_report
from indexvault.cli.confirmation import answer
from indexvault.cli.exit_codes import DONE
from indexvault.cli.first_settings import (
    LOCAL,
    FirstService,
    FirstStore,
    check_store,
    is_local,
    name_of,
    settings_text,
    variable,
    whole_endpoint,
)
from indexvault.cli.roles import proposals
from indexvault.cli.session import FIRST_CONTACT, BareSession
from indexvault.cli.settings_file import FILE_NAME
from indexvault.clients import default_identity
from indexvault.discovery import CLOUDS, Cloud, Found, FoundAccount, FoundService, find_resources
from indexvault.errors import ConflictError, IndexvaultError, SettingsError
from indexvault.maintenance.check import check_everything
from indexvault.settings.load import read_settings
from indexvault.settings.model import PORTAL_TIERS, TIERS, Settings
from indexvault.settings.schema import SCHEMA_NAME, schema_text

type Find = Callable[[Cloud], Awaitable[Found]]
"""Finds the services and accounts that the signed-in identity sees in a cloud."""

_VERB = "init"
_MODE = 0o644
_EXAMPLES = {
    "--endpoint": "https://contoso-east.search.windows.net",
    "--region": "eastus",
    "--tier": "standard",
    "--store": "https://contosoeast.blob.core.windows.net",
    "--store-region": "eastus",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InitRequest:
    """Write settings for a service and a store. What is None is found, asked for, or missing."""

    endpoint: str | None
    name: str | None
    region: str | None
    tier: str | None
    key_variable: str | None
    store: str | None
    store_region: str | None
    cloud: str
    yes: bool
    force: bool
    schema: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--endpoint", metavar="URL", help="the search service (default: all that the identity sees)")
    parser.add_argument("--name", metavar="NAME", help="what to call it in the settings (default: as its host does)")
    parser.add_argument("--region", metavar="REGION", help="its region, such as eastus (default: as Azure says)")
    parser.add_argument(
        "--tier",
        choices=TIERS,
        type=_tier,
        metavar="TIER",
        help=f"its tier: {', '.join(TIERS)}, or S1 and the like",
    )
    parser.add_argument(
        "--api-key-variable", metavar="VARIABLE", help="the environment variable that holds its API key (default: none)"
    )
    parser.add_argument(
        "--store",
        metavar="ADDRESS",
        help="where snapshots go: https://ACCOUNT.blob.core.windows.net, or env:VARIABLE for a connection string, or"
        " UseDevelopmentStorage=true for Azurite",
    )
    parser.add_argument("--store-region", metavar="REGION", help="the store's region (default: as Azure says)")
    parser.add_argument("--cloud", choices=tuple(CLOUDS), default="public", help="the cloud to look in")
    parser.add_argument("--yes", action="store_true", help="ask nothing; what is not known is an error")
    parser.add_argument("--force", action="store_true", help="replace a settings file that exists")
    parser.add_argument("--schema", action="store_true", help=f"only write {SCHEMA_NAME}, such as after an upgrade")


def _tier(text: str) -> str:
    """Return the tier that the portal calls so, or the text as it is."""
    return PORTAL_TIERS.get(text.upper(), text)


def read_request(arguments: Namespace) -> InitRequest:
    """Return what the arguments ask for. Raises SettingsError for a key where a variable's name belongs.

    A host alone is taken for an endpoint by https.
    """
    key = arguments.api_key_variable
    if arguments.store is not None:
        check_store(arguments.store)
    return InitRequest(
        endpoint=None if arguments.endpoint is None else whole_endpoint(arguments.endpoint),
        name=arguments.name,
        region=arguments.region,
        tier=arguments.tier,
        key_variable=None if key is None else variable(key, "--api-key-variable"),
        store=arguments.store,
        store_region=arguments.store_region,
        cloud=arguments.cloud,
        yes=arguments.yes,
        force=arguments.force,
        schema=arguments.schema,
    )


async def find_in_azure(cloud: Cloud) -> Found:
    """Return what this machine's identity sees. Raises errors below RemoteError."""
    async with default_identity(cloud.authority, None) as identity:
        return await find_resources(cloud, identity)


async def run(session: BareSession, request: InitRequest, *, find: Find = find_in_azure) -> int:
    """Write the settings, check them, propose the roles that are missing, and return the check's exit code.

    Raises ConflictError for a file that exists, SettingsError for what is neither found nor given.
    """
    path = _path(session)
    if request.schema:
        _write(path.with_name(SCHEMA_NAME), schema_text())
        session.output.result("written", {"schema": str(path.with_name(SCHEMA_NAME))}, f"{SCHEMA_NAME} is written")
        return DONE
    _refuse_existing(path, request)
    setup = _Setup(session, request, await _look(session, request, find))
    services = await setup.services()
    store = await setup.store(services)
    text = settings_text(services, store)
    settings = read_settings(text, session.environment)
    _write(path.with_name(SCHEMA_NAME), schema_text())
    _write(path, text, create=not request.force)
    shown = path.relative_to(session.folder) if path.is_relative_to(session.folder) else path
    session.output.result("written", {"settings": str(path)}, f"{shown} is written, and {SCHEMA_NAME} beside it")
    return await _check(session, settings, setup.ids(services, store))


def _path(session: BareSession) -> Path:
    return session.folder / (Path(session.config).expanduser() if session.config else FILE_NAME)


def _refuse_existing(path: Path, request: InitRequest) -> None:
    """Raise ConflictError before anything is asked, rather than when the answers are to be written."""
    if os.path.lexists(path) and not request.force:
        raise _exists(path)


def _exists(path: Path) -> ConflictError:
    return ConflictError("it exists", on=f"file {path}", do="Edit it, or replace it with --force")


async def _look(session: BareSession, request: InitRequest, find: Find) -> Found:
    """Return what the identity sees: nothing where all is named, or on this machine, or where it can't be looked up."""
    is_known = request.endpoint is not None and request.store is not None and request.region and request.tier
    if is_known or (request.endpoint is not None and is_local(request.endpoint)):
        return Found()
    session.output.starting(f"{_VERB}: looking for your search services")
    try:
        return await find(CLOUDS[request.cloud])
    except IndexvaultError as error:
        session.output.note(f"your services can't be looked up ({error.on}: {error.what}), so name what to back up")
        return Found()


class _Setup:
    """Answers: from the options, else from what was found, else from whoever is at the terminal."""

    def __init__(self, session: BareSession, request: InitRequest, found: Found) -> None:
        self._session = session
        self._request = request
        self._found = found
        self._asks = session.output.can_ask and not request.yes

    async def services(self) -> list[FirstService]:
        """Return the services: the one that is named, else those chosen of the found."""
        request, found = self._request, self._found.services
        if request.endpoint is None and found:
            chosen = await self._chosen("Back up which services?", found)
            return [await self._service(each.endpoint, each) for each in chosen]
        endpoint = request.endpoint or await self._asked(
            "The endpoint of the search service, such as https://contoso-east.search.windows.net:", "--endpoint"
        )
        endpoint = endpoint.rstrip("/")
        return [await self._service(endpoint, next((each for each in found if each.endpoint == endpoint), None))]

    async def store(self, services: Sequence[FirstService]) -> FirstStore:
        """Return the store: the one that is named, else the chosen of the found."""
        request, found = self._request, self._found.accounts
        near = sorted(found, key=lambda account: (account.region != services[0].region, account.name))
        address = request.store
        if address is None and near and self._asks:
            address = await self._account(near)
        elif address is None and len(near) == 1:
            address = near[0].url
        if address is None:
            address = await self._asked(
                "Where snapshots go, such as https://contosoeast.blob.core.windows.net, or env:VARIABLE for a"
                " connection string:",
                "--store",
            )
        account = next((each for each in found if each.url == address.rstrip("/")), None)
        region = request.store_region or (account.region if account else LOCAL if is_local(address) else None)
        if region is None:
            region = await self._asked("The region of the store:", "--store-region", default=services[0].region)
        return FirstStore(name=name_of(address), address=address, region=region)

    def ids(self, services: Sequence[FirstService], store: FirstStore) -> dict[str, str]:
        """Return the resource ids that are known, by what `check` calls their resources."""
        endpoints = {each.endpoint: each.id for each in self._found.services}
        urls = {each.url: each.id for each in self._found.accounts}
        known = {f"service {each.name}": endpoints.get(each.endpoint) for each in services}
        known[f"store {store.name}"] = urls.get(store.address.rstrip("/"))
        return {target: found for target, found in known.items() if found is not None}

    async def _service(self, endpoint: str, found: FoundService | None) -> FirstService:
        request, local = self._request, is_local(endpoint)
        name = request.name if request.name and request.endpoint else name_of(endpoint)
        region = request.region or (found.region if found else LOCAL if local else None)
        tier = request.tier or (found.tier if found else None)
        return FirstService(
            name=name,
            endpoint=endpoint,
            region=region or await self._asked(f"The region of {name}, such as eastus:", "--region"),
            tier=tier or await self._asked(f"The tier of {name} ({', '.join(TIERS)}):", "--tier"),
            key_variable=request.key_variable,
        )

    async def _account(self, found: Sequence[FoundAccount]) -> str:
        """Return the address of an account of a list, or one that is typed instead."""
        for number, each in enumerate(found, 1):
            self._session.output.note(f"  {number}  {each.url} ({each.region})")
        typed = await answer(
            self._session.output, "Which of these keeps the snapshots? A number, or another address", _VERB, default="1"
        )
        return found[int(typed) - 1].url if typed.isdecimal() and 0 < int(typed) <= len(found) else typed

    async def _chosen(self, question: str, found: Sequence[FoundService]) -> Sequence[FoundService]:
        """Return the services that are chosen of several: all, where nobody is asked."""
        if len(found) == 1 or not self._asks:
            return found
        for number, each in enumerate(found, 1):
            self._session.output.note(f"  {number}  {each.name} ({each.region}, {each.tier or 'unknown tier'})")
        typed = await answer(self._session.output, f"{question} Numbers, or all", _VERB, default="all")
        if typed == "all":
            return found
        numbers = typed.replace(",", " ").split()
        if not all(each.isdecimal() and 0 < int(each) <= len(found) for each in numbers):
            raise SettingsError(f"there is no {typed!r} in the list", on=question, do="Type numbers of it, or all")
        return [found[int(each) - 1] for each in dict.fromkeys(numbers)]

    async def _asked(self, question: str, option: str, *, default: str = "") -> str:
        """Ask, or return the default where nobody is asked. Raises SettingsError without an answer."""
        typed = await answer(self._session.output, question, _VERB, default=default) if self._asks else default
        if not typed:
            raise self._lacking(option)
        return typed

    def _lacking(self, first: str) -> SettingsError:
        """Return the error that names all options that are missing, and not only the first that was needed."""
        request = self._request
        found, local = bool(self._found.services), request.endpoint is not None and is_local(request.endpoint)
        known = {
            "--endpoint": request.endpoint or found,
            "--region": request.region or local or found,
            "--tier": request.tier or found,
            "--store": request.store or self._found.accounts,
        }
        missing = dict.fromkeys([first, *(option for option, value in known.items() if not value)])
        whole = " ".join(f"{option} {_EXAMPLES[option]}" for option in missing)
        return SettingsError("it is not known", on=first, do=f"Give it: indexvault {_VERB} {whole}")


async def _check(session: BareSession, settings: Settings, ids: dict[str, str]) -> int:
    """Check the settings, and show what to do next."""
    checked = session.with_settings(settings)
    async with checked.clients(retry=FIRST_CONTACT) as clients:
        report = await check_everything(
            clients, session.environment, run=checked.new_run("check"), clock=session.clock
        )  # fmt: skip
    code = print_report(session.output, report)
    for each in proposals(report, settings, ids):
        role = {"role": each.role.name, "role_id": each.role.id} if each.role is not None else {}
        record = {"target": each.target, "why": each.why, **role, "command": each.command}
        session.output.result("proposal", record, Text(f"# {each.target}: {each.why}", "dim"), each.command)
    if code == DONE:
        session.output.show(f"next: indexvault backup {next(iter(settings.services))}")
    else:
        session.output.show("next: correct what failed, in the settings or in Azure, then run indexvault check")
    return code


def _write(path: Path, text: str, *, create: bool = False) -> None:
    """Write a file whole or not at all. Raises IndexvaultError, with `create` ConflictError for one that exists."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        os.close(handle)
        written = Path(name)
        try:
            written.write_text(text, encoding="utf-8")
            # Not writable by a group, whatever the umask: such a file would be refused as others' work.
            written.chmod(_MODE)
            if create:
                os.link(written, path)
            else:
                written.replace(path)
        finally:
            written.unlink(missing_ok=True)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise IndexvaultError(
            f"it can't be written ({error.strerror})", on=f"file {path}", do="Check the folder, or name another file"
        ) from None


COMMAND = Command(
    description="Write a first settings file: finds the search services and storage accounts that the signed-in"
    " identity sees, asks what it can't find (nothing with --yes, --json or without a terminal), checks what it wrote,"
    " and proposes the roles that are missing as az commands. With --config, that file is written.",
    add_arguments=add_arguments,
    read_request=read_request,
    run_without_settings=run,
)
