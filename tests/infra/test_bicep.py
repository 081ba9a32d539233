"""The evaluation of templates refuses what a compiler or a deployment would."""

from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep import BicepError, Deployment, deploy, parameters


def deployed(folder: Path, text: str, **given: Any) -> Deployment:
    (folder / "main.bicep").write_text(text)
    return deploy(folder / "main.bicep", given)


ACCOUNT = "resource {0} 'Microsoft.Storage/storageAccounts@2025-06-01' = {{ name: '{0}' }}\n"


def test_resources_are_made_with_what_expressions_come_to(tmp_path: Path) -> None:
    (tmp_path / "one.bicep").write_text(
        "param names string[]\nparam on bool = true\n"
        "resource each 'Microsoft.Storage/storageAccounts@2025-06-01' = [for (name, i) in names: if (on) {\n"
        "  name: '${toLower(name)}${i}'\n  properties: { accessTier: i > 0 ? 'Cool' : 'Hot' }\n}]\n"
        "output first string = on ? each[0].id : 'none'\n"
    )
    made = deployed(
        tmp_path,
        "param names string[]\nmodule m 'one.bicep' = {\n  name: 'm'\n  params: { names: names }\n}\n"
        "output first string = m.outputs.first\n",
        names=["A", "B"],
    )
    assert [(each.name, each.properties) for each in made.resources] == [
        ("a0", {"accessTier": "Hot"}),
        ("b1", {"accessTier": "Cool"}),
    ]
    assert made.outputs["first"] == made.resources[0].id


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("param a string\nvar b = = a\n", {"a": "x"}, "is no Bicep"),
        ("param a string\n", {}, "needs the parameter a"),
        ("param a string\n", {"a": 1}, "a is int, not string"),
        ("param a bool\n", {"a": True, "b": 1}, "has no parameter b"),
        ("var a = b\n", {}, "b is not declared"),
        ("var a = { b: 1 }.c\n", {}, "no c"),
        ("var a = { b: 1, b: 2 }\n", {}, "b is there twice"),
        ("var a = unheardOf('x')\n", {}, "unheardOf"),
        (ACCOUNT.format("a") + ACCOUNT.format("b").replace("name: 'b'", "name: 'a'"), {}, "is there twice"),
        (
            "param on bool = false\nmodule m 'main.bicep' = if (on) { name: 'm' }\nvar x = m.outputs.y\n",
            {},
            "not deployed",
        ),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, text: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(BicepError, match=said):
        deployed(tmp_path, text, **given)


def test_parameters_come_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "main.bicepparam").write_text(
        "using 'main.bicep'\n\nparam a = readEnvironmentVariable('A', 'x')\n// why\nparam b = [{ c: 1 }]\n"
    )
    assert parameters(tmp_path / "main.bicepparam", {"A": "y"}) == {"a": "y", "b": [{"c": 1}]}
