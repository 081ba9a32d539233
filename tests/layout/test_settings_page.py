"""docs/settings.md is what the types of the settings say."""

import re

from scripts.settings_page import text
from tests.layout.project import text_of


def test_the_page_is_what_the_types_say() -> None:
    assert text_of("docs/settings.md") == text(), "run make settings-page"


def test_every_member_has_a_row_and_a_meaning() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]*) \| ([^|]+) \|$", text(), re.MULTILINE)
    assert {"snapshots_container", "pressure", "settle_seconds", "keep", "weekly", "env", "runs_per_key"} <= {
        name for name, *_ in rows
    }
    assert len(rows) > 40
    assert [name for name, _value, _default, meaning in rows if not meaning.rstrip().endswith(".")] == []
