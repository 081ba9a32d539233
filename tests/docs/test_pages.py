"""Every command of the README and of the pages works, and prints what the page shows."""

import re
from pathlib import Path

import pytest

from tests.azurite import Azurite
from tests.docs.desk import open_desk
from tests.docs.not_run import NOT_RUN
from tests.docs.pages import blocks_of, is_run, run_page
from tests.docs.shape import agree
from tests.layout.project import text_of, tracked

PAGES = [
    name
    for name in tracked()
    if re.fullmatch(r"README\.md|CHANGELOG\.md|CONTRIBUTING\.md|docs/[\w-]+\.md|emulator/README\.md", name)
]
RUN = [page for page in PAGES if any(is_run(page, block) for block in blocks_of(page))]


@pytest.mark.parametrize("page", RUN)
def test_every_command_works_and_prints_what_the_page_shows(page: str, tmp_path: Path, azurite: Azurite) -> None:
    with open_desk(tmp_path, azurite) as desk:
        last = None
        for ran in run_page(page, desk):
            where = f"{page}:{ran.step.line}: {ran.step.command}"
            # an exit code other than 0 has to be shown by the command after it
            assert last is None or last.code == 0 or ran.step.command == "echo $?", f"before {where}: {last}"
            if ran.step.shown is None:
                assert ran.code == 0, f"{where}\n" + "\n".join(ran.printed)
            else:
                shown, printed = "\n".join(ran.step.shown), "\n".join(ran.printed)
                assert agree(ran.step.shown, ran.printed), (
                    f"{where}\nshown:\n{shown}\nprinted:\n{printed}\n(python -m tests.docs {page} puts this there)"
                )
            last = ran
        assert last is not None
        assert last.code == 0 or last.step.command == "echo $?", last


def test_what_is_not_run_is_known_with_its_reason() -> None:
    left_out = [(page, block) for page in PAGES for block in blocks_of(page) if not is_run(page, block)]
    assert len(left_out) == len(NOT_RUN) == 15
    assert all(len(reason) > 10 for reason in NOT_RUN.values())


@pytest.mark.parametrize("page", PAGES)
def test_no_command_hides_outside_of_a_block(page: str) -> None:
    """An indented command would be run by nobody; synopses have placeholders."""
    outside = re.sub(r"^ *```.*?^ *```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^ {4}((?:\.venv/bin/)?(?:indexvault|python|az|azd) .*)$", outside, re.MULTILINE)
    assert [line for line in indented if not re.search(r"[A-Z]{4,}|\[", line)] == []
