"""The recording in the README shows what the commands print."""

import html
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.azurite import Azurite
from tests.docs.desk import open_desk
from tests.docs.shape import shape
from tests.docs.world import HAPPENINGS
from tests.layout.project import PROJECT, text_of

RECORDING = "docs/images/recording.svg"


@pytest.fixture(scope="module")
def recording() -> ModuleType:
    specification = importlib.util.spec_from_file_location("recording", PROJECT / "scripts/recording.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def shown() -> str:
    """Return the text of the picture, on one line."""
    texts = re.findall(r"<text[^>]*>(.*?)</text>", text_of(RECORDING), re.DOTALL)
    return _plain(" ".join(html.unescape(text).replace("\xa0", " ") for text in texts))


def _plain(text: str) -> str:
    """Return a text without what differs from run to run, or where lines are folded."""
    return re.sub(r"[\d,]*\d", "N", shape(re.sub(r"\s+", " ", text)))


def test_the_commands_still_print_it(recording: ModuleType, tmp_path: Path, azurite: Azurite) -> None:
    text = shown()
    with open_desk(tmp_path, azurite) as desk:
        HAPPENINGS["hotels"](desk)
        for comment, command in recording.STEPS:
            if not command:
                HAPPENINGS["index deleted"](desk)
                assert comment in text
                continue
            assert f"$ {command}" in text
            for line in desk.run(command):
                assert _plain(line) in text
            assert desk.code == 0


def test_it_loads_nothing_from_elsewhere() -> None:
    for picture in (RECORDING, "docs/images/flow.svg"):
        addresses = set(re.findall(r"https?://[^\"\s)]+", text_of(picture)))
        assert addresses <= {"http://www.w3.org/2000/svg"}


def test_what_is_drawn_over_is_not_shown(recording: ModuleType) -> None:
    drawn = "one\r\n\x1b[?25lbar 1\r\x1b[2Kbar \x1b[32m2\x1b[0m\r\nlast\r\n\x1b[1A\x1b[2Kdone\r\n"
    assert recording.screen(drawn) == ["one", "bar \x1b[32m2\x1b[0m", "done"]
