"""`python -m tests.docs PAGE...`: put what the commands of a page print now into the page, where that differs."""

import sys
import tempfile
from pathlib import Path

from tests.azurite import started
from tests.docs.desk import PROJECT, open_desk
from tests.docs.pages import Ran, run_page
from tests.docs.shape import agree


def main(pages: list[str]) -> int:
    """Rewrite pages; return the exit code."""
    with started() as azurite:
        for page in pages:
            with tempfile.TemporaryDirectory() as folder, open_desk(Path(folder), azurite) as desk:
                ran = list(run_page(page, desk))
            _rewrite(PROJECT / page, ran)
            sys.stdout.writelines(
                f"{page}:{each.step.line}: exit code {each.code}: {each.step.command}\n" for each in ran if each.code
            )
    return 0


def _rewrite(path: Path, ran: list[Ran]) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for each in reversed(ran):
        step = each.step
        if step.shown is not None and not agree(step.shown, each.printed):
            printed = [f"{step.indent}{line}".rstrip() for line in each.printed]
            lines[step.after - 1 - len(step.shown) : step.after - 1] = printed
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
