import json
from pathlib import Path

import pytest

from indexvault.cli.settings_file import find_settings
from indexvault.errors import SettingsError
from tests.cli.terminal import Terminal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "here"
    here.mkdir()
    return here


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def write(path: Path, *, mode: int = 0o644) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    path.chmod(mode)
    return str(path)


def test_the_first_that_there_is_counts(folder: Path, environment: dict[str, str], tmp_path: Path) -> None:
    def found(named: str | None = None, **more: str) -> str:
        return find_settings({**environment, **more}, named, folder=folder)["INDEXVAULT_CONFIG"]

    with pytest.raises(SettingsError, match="there are none: no --config, no INDEXVAULT_CONFIG, no"):
        found()
    users = write(tmp_path / "home/.config/indexvault/indexvault.json")
    assert found() == users
    elsewhere = write(tmp_path / "elsewhere/indexvault/indexvault.json")
    assert found(XDG_CONFIG_HOME=str(tmp_path / "elsewhere")) == elsewhere
    here = write(folder / "indexvault.json")
    assert found() == here
    assert found(INDEXVAULT_CONFIG="{}") == "{}"
    assert found("/some/file", INDEXVAULT_CONFIG="{}") == "/some/file"


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_in_this_folder_that_others_may_write_is_refused(
    folder: Path, environment: dict[str, str], mode: int
) -> None:
    path = write(folder / "indexvault.json", mode=mode)
    with pytest.raises(SettingsError, match="others than you own it or may write it"):
        find_settings(environment, None, folder=folder)
    assert find_settings(environment, path, folder=folder)["INDEXVAULT_CONFIG"] == path


@pytest.mark.slow  # starts many processes
def test_a_command_takes_its_settings_from_a_named_file(terminal: Terminal, tmp_path: Path) -> None:
    terminal.east.fill("notes", 3)
    settings = tmp_path / "vault.json"
    settings.write_text(json.dumps(terminal.settings))
    terminal.back_up("notes")
    for arguments in (["--config", str(settings), "snapshots"], ["snapshots", "--config", str(settings)]):
        result = terminal.indexvault(*arguments, INDEXVAULT_CONFIG="")
        assert result.code == 0, result.stderr
    wrong = terminal.indexvault("snapshots", "contoso-eest", "--config", str(settings), INDEXVAULT_CONFIG="")
    assert wrong.code == 4
    assert wrong.error_line.endswith(
        "Known services: contoso-east, contoso-west; did you mean 'contoso-east' or 'contoso-west'?"
    )
