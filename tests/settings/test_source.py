from pathlib import Path

import pytest

from indexvault.errors import SettingsError
from indexvault.settings.load import load_settings

TEXT = '{"stores": {"local": {"connection_string": "UseDevelopmentStorage=true", "region": "local"}}, "services": {}}'


def test_json_itself_and_a_file_of_it_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "indexvault.json"
    file.write_text(TEXT)
    assert load_settings({"INDEXVAULT_CONFIG": f"\n {TEXT}"}) == load_settings({"INDEXVAULT_CONFIG": str(file)})


@pytest.mark.parametrize("environment", [{}, {"INDEXVAULT_CONFIG": "  "}])
def test_variable_that_is_not_set_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="INDEXVAULT_CONFIG: it is not set"):
        load_settings(environment)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.json"):
        with pytest.raises(SettingsError, match=f"the file {path} can't be read"):
            load_settings({"INDEXVAULT_CONFIG": str(path)})
