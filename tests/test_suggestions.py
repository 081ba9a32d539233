import pytest

from indexvault.suggestions import suggestion


@pytest.mark.parametrize(
    ("name", "known", "suggested"),
    [
        ("bakup", ["backup", "prune"], "; did you mean 'backup'?"),
        ("Hotels", ["hotels", "inns"], "; did you mean 'hotels'?"),
        ("contoso-eest", ["contoso-east", "contoso-west"], "; did you mean 'contoso-east' or 'contoso-west'?"),
        ("zzz", ["backup", "prune"], ""),
        ("anything", [], ""),
    ],
)
def test_a_suggestion_names_what_resembles_it(name: str, known: list[str], suggested: str) -> None:
    assert suggestion(name, known) == suggested
