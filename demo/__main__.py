"""`python -m demo`: a backup and a restore between two emulated services, on this machine alone.

`python -m demo serve` starts the same servers again, with what the demo left in them.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from demo.folder import BusyError, DemoFolder
from demo.hotels import DOCUMENTS
from demo.processes import ServerError, servers
from demo.story import CommandError, Story, copy_snapshots, next_steps

_FOLDER = Path(".demo")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, or serve what it left; return the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    folder = DemoFolder(options.folder)
    try:
        return _serve(console, folder) if options.what == "serve" else _tell(console, folder, options.documents)
    except (BusyError, CommandError, ServerError) as error:
        console.print(f"[bold red]demo:[/] {error}")
        return 1
    except KeyboardInterrupt:
        console.print("\ndemo: stopped; nothing of it is running any more")
        return 130


def _tell(console: Console, folder: DemoFolder, documents: int) -> int:
    console.print(
        "[bold]indexvault on this machine alone:[/] two emulated Azure AI Search services, and Azurite, a local Blob"
        " Storage. What follows a $ is a command that works the same against services of your own."
    )
    with folder.taken(fresh=True):
        keys = folder.keys()
        with servers(folder, keys) as ports:
            variables = folder.write_settings(keys, *ports)
            Story(console, variables, folder.endpoint(ports[1]), keys.search).tell(documents)
            copy_snapshots(folder, variables)
        next_steps(console, folder)
    return 0


def _serve(console: Console, folder: DemoFolder) -> int:
    if not folder.is_built:
        console.print("demo: there is nothing to serve yet; run `make demo` first")
        return 1
    with folder.taken(fresh=False):
        keys = folder.keys()
        with servers(folder, keys) as ports:
            folder.write_settings(keys, *ports)
            console.print(
                f"Azurite and the two services are up. In another terminal:\n\n"
                f"  . {folder.environment}\n  .venv/bin/indexvault snapshots\n\nControl-C ends them."
            )
            threading.Event().wait()
    return 0


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=("tell", "serve"), default="tell", help="default: tell")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, metavar="N", help=f"default: {DOCUMENTS}")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help=f"where everything is kept; default: {_FOLDER}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
