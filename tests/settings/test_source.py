from pathlib import Path

import pytest

from indexvault.errors import SettingsError
from indexvault.settings.source import load_settings

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


FILE = """\
{
  "stores": {
    "local": {"connection_string": "UseDevelopmentStorage=true", "region": "local"}
  },
  "services": {
    "contoso": {"endpoint": "https://contoso.search.windows.net", "region": "eastus", "tier": "basic", "store": "local"}
  },
  "policies": {
    "nightly": {
      "service": "contoso",
      "schedule": "every night"
    }
  }
}
"""
NIGHT = '"0 0 2 * * *"'


def test_a_wrong_member_is_named_with_its_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "indexvault.json"
    file.write_text(FILE)
    with pytest.raises(SettingsError) as refused:
        load_settings({"INDEXVAULT_CONFIG": str(file)})
    assert str(refused.value).startswith(f"{file}:11: policies.nightly.schedule: expected six fields")
    with pytest.raises(SettingsError) as refused:
        load_settings({"INDEXVAULT_CONFIG": str(file)}, folder=tmp_path)
    assert str(refused.value).startswith("indexvault.json:11: policies.nightly.schedule: expected six fields")


def test_a_wrong_member_of_a_variable_is_named_with_the_variable() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"INDEXVAULT_CONFIG": FILE})
    assert refused.value.on == "INDEXVAULT_CONFIG:11: policies.nightly.schedule"


@pytest.mark.parametrize(
    ("before", "after", "on", "what"),
    [
        ('"services"', '"servises"', "5: servises", "did you mean 'services'?"),
        (
            '"schedule": "every night"',
            f'"shedule": {NIGHT}',
            "11: policies.nightly.shedule",
            "did you mean 'schedule'?",
        ),
        ('"tier": "basic", ', "", "6: services.contoso", "missing required field `tier`"),
        ('"tier": "basic"', '"tier": 3', "6: services.contoso.tier", "expected `str`, got `int`"),
        ('"store": "local"', '"store": "locel"', "6: services.contoso.store", "did you mean 'local'?"),
        ('"service": "contoso"', '"service": "contose"', "10: policies.nightly.service", "did you mean 'contoso'?"),
        ('"service": "contoso",', '"service": "contoso"', "11", "not JSON: expected ',' or '}'."),
        ('"services": {', '"services": {,', "5", "not JSON: object keys must be strings."),
        ("every night", "every \udcff night", "11", "not UTF-8"),
    ],
)
def test_each_kind_of_error_has_its_line(tmp_path: Path, before: str, after: str, on: str, what: str) -> None:
    file = tmp_path / "indexvault.json"
    file.write_bytes(FILE.replace(before, after).encode(errors="surrogateescape"))
    with pytest.raises(SettingsError) as refused:
        load_settings({"INDEXVAULT_CONFIG": str(file)}, folder=tmp_path)
    assert refused.value.on == f"indexvault.json:{on}"
    assert what in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_error(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "indexvault.json"
    file.write_bytes(FILE.replace('"every night"', NIGHT).encode(encoding))
    assert load_settings({"INDEXVAULT_CONFIG": str(file)}).policies["nightly"].schedule == "0 0 2 * * *"
    file.write_bytes(FILE.encode(encoding))
    with pytest.raises(SettingsError, match=r":11: policies\.nightly\.schedule: expected six"):
        load_settings({"INDEXVAULT_CONFIG": str(file)})


def test_a_byte_order_mark_in_the_variable_is_no_error(tmp_path: Path) -> None:
    assert load_settings({"INDEXVAULT_CONFIG": f"\ufeff{TEXT}"}).stores
    assert load_settings({"INDEXVAULT_CONFIG": f" \ufeff\n{TEXT}"}).stores
    file = tmp_path / "indexvault.json"
    file.write_text(TEXT)
    assert load_settings({"INDEXVAULT_CONFIG": f"\ufeff{file}\n"}).stores
