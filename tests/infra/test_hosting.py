"""azure.yaml, the container file and the page about them name what there is."""

import re

import yaml  # type: ignore[import-untyped]  # has none

from tests.infra.bicep import declarations, name
from tests.infra.deployments import DEPLOYMENTS, PRUNER, TEMPLATE
from tests.infra.test_templates import rights
from tests.layout.project import PROJECT, text_of


def test_azd_takes_the_package_as_it_is_built() -> None:
    project = yaml.safe_load(text_of("azure.yaml"))
    app = project["services"]["app"]
    assert app["host"] == "function"
    assert app["remoteBuild"] is False
    assert app["hooks"]["prepackage"]["run"] == "make package"
    assert f"package_app.py $(UV_PROGRAM) {app['dist']} " in text_of("Makefile")
    assert (PROJECT / project["infra"]["path"] / f"{project['infra']['module']}.bicep").exists()


def test_the_image_holds_the_package_and_nothing_else() -> None:
    lines = text_of("Containerfile").splitlines()
    assert [line for line in lines if line.startswith(("COPY", "ADD"))] == ["COPY build/app /app"]
    assert f"python:4-python{text_of('.python-version').strip()}" in next(line for line in lines if "FROM" in line)
    kept = [line for line in text_of(".dockerignore").splitlines() if not line.startswith("#")]
    assert kept == ["*", "!build/app"]


def test_the_page_has_every_parameter() -> None:
    wanted = {name(each) for each in declarations(TEMPLATE) if each.type == "parameter_declaration"}
    set_here = set(re.findall(r"^param (\w+)", text_of("infra/main.bicepparam"), re.MULTILINE))
    page = text_of("docs/deploy.md").partition("## Parameters")[2].partition("## ")[0]
    described = set(re.findall(r"`([a-z]\w+)`", page))
    assert wanted - set_here - described == set()
    assert {"alertEmails"} == set_here & described


def test_the_page_has_every_role() -> None:
    page = text_of("docs/deploy.md").partition("## Who may do what")[2].partition("## ")[0]
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| ([^|]+) \|", page, re.MULTILINE)
    stated = {(who, role) for who, roles in rows for role in re.findall(r"\*([^*]+)\*", roles)}
    given = {(who, role) for each in DEPLOYMENTS for who, role, _target in rights(each) if role != "writer"}
    assert stated == {(who, role) for who, role in given if who != PRUNER}


def test_the_page_has_every_alert() -> None:
    rules = re.findall(r"^    name: '([a-z-]+)'$", text_of("infra/modules/alerts.bicep"), re.MULTILINE)
    page = text_of("docs/deploy.md").partition("## Alerts")[2].partition("## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == rules
