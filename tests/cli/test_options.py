from argparse import ArgumentParser
from pathlib import Path

import pytest

from indexvault.cli.options import TARGET_OPTIONS, add_target_options, read_options, read_text
from indexvault.errors import IndexvaultError, NotFoundError, SettingsError
from indexvault.model import TargetIndexOptions, TargetOptions


def test_every_member_of_the_shared_options_has_a_flag() -> None:
    assert set(TARGET_OPTIONS) == set(TargetIndexOptions.__struct_fields__)


def test_flags_become_members(tmp_path: Path) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text("{}")
    parser = ArgumentParser()
    add_target_options(parser)
    arguments = parser.parse_args(["--alias", "guests", "--patch", str(patch), "--overlay", "dr", "--skip-refused"])
    assert read_options(arguments, TargetIndexOptions) == TargetIndexOptions(
        alias="guests", patch="{}", overlay="dr", skip_refused=True
    )
    assert read_options(arguments, TargetOptions) == TargetOptions(overlay="dr", skip_refused=True)
    assert read_options(parser.parse_args([]), TargetIndexOptions) == TargetIndexOptions()


@pytest.mark.parametrize(
    ("data", "error", "what"),
    [
        (None, NotFoundError, "can't be read"),
        (b"\xff", SettingsError, "not UTF-8 text"),
        (bytes(16 * 1024 * 1024 + 1), SettingsError, "larger than 16 MB"),
    ],
)
def test_file_that_cannot_be_read_is_named(
    tmp_path: Path, data: bytes | None, error: type[IndexvaultError], what: str
) -> None:
    path = tmp_path / "file"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(error, match=what) as raised:
        read_text(path)
    assert raised.value.on == f"file {path}"


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("\ufeff{}".encode())
    assert read_text(path) == "{}"
