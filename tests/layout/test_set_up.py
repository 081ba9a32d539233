"""What set-up does on machines that are not like this one."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.layout.project import PROJECT

ON_PYTHON_3_11 = "import runpy, sys; sys.version_info = (3, 11, 7); runpy.run_path('setup.py')"


def test_an_old_python_is_told_which_one_is_needed() -> None:
    result = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", ON_PYTHON_3_11], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (
        1,
        "indexvault needs Python 3.13 or newer, and this is Python 3.11.\n",
    )


def test_uv_takes_the_certificates_of_the_machine(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "scripts", tmp_path / "scripts")
    (tmp_path / ".python-version").write_text("3.13\n")
    uv = tmp_path / ".tools/uv/bin/uv"
    uv.parent.mkdir(parents=True)
    uv.write_text('#!/bin/sh\necho "$UV_SYSTEM_CERTS" >> "$(dirname "$0")/seen"\n')
    uv.chmod(0o755)
    for given, seen in (({}, "true"), ({"UV_SYSTEM_CERTS": "false"}, "false")):
        subprocess.run(  # noqa: S603 - the project's own script
            [tmp_path / "scripts/set-up.sh", "environment"],
            env={"PATH": "/usr/bin:/bin", **given},
            capture_output=True,
            check=True,
        )
        assert set((uv.parent / "seen").read_text().split()) == {seen}
        (uv.parent / "seen").unlink()
