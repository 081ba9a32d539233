"""`indexvault completion`: a script with which a shell completes command lines."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.session import BareSession
from indexvault.cli.shells.arguments import Verb, verbs
from indexvault.cli.shells.bash import bash_script
from indexvault.cli.shells.fish import fish_script
from indexvault.cli.shells.names import NAMED, names
from indexvault.cli.shells.zsh import zsh_script

SCRIPTS: Mapping[str, Callable[[Sequence[Verb]], str]] = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """Print the script of a shell; or the names of a kind that the settings hold, for which such a script asks."""

    shell: str
    names: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("shell", metavar="SHELL", choices=tuple(SCRIPTS), help=f"the shell: {', '.join(SCRIPTS)}")
    parser.add_argument(
        "--names",
        metavar="KIND",
        choices=NAMED,
        help=f"print names that the settings hold, one a line, as the script does: {', '.join(NAMED)}",
    )


def read_request(arguments: Namespace) -> CompletionRequest:
    """Return what the arguments ask for."""
    return CompletionRequest(shell=arguments.shell, names=arguments.names)


async def run(session: BareSession, request: CompletionRequest) -> int:
    """Print the script, or the names. Raises SettingsError for settings that can't be read."""
    if request.names is None:
        script = SCRIPTS[request.shell](verbs())
        session.output.result("completion", {"shell": request.shell, "script": script}, *script.splitlines())
        return DONE
    found = names(session.load_settings(), request.names)
    session.output.result("names", {"kind": request.names, "names": found}, *found)
    return DONE


COMMAND = Command(
    description="Print a script with which a shell completes verbs, options, and the names that the settings hold:"
    " services, stores, overlays, and the indexes that policies name in full. For bash, put `source <(indexvault"
    " completion bash)` into ~/.bashrc; for zsh, the same with zsh into ~/.zshrc, after compinit; for fish, save what"
    " it prints as ~/.config/fish/completions/indexvault.fish, again after an upgrade.",
    add_arguments=add_arguments,
    read_request=read_request,
    run_without_settings=run,
)
