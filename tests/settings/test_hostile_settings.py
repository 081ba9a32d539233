import pytest

from indexvault.errors import SettingsError
from indexvault.settings.load import read_settings
from indexvault.settings.source import load_settings

DEEP = b"[" * 200_000 + b"]" * 200_000


@pytest.mark.parametrize(
    "text",
    [
        b'{"stores":{},"services":{"\xff":{}}}',
        b'{"stores":{},"services":{},"x":%s}' % DEEP,
        b'{"stores":{},"services":{},"overlays":{"w":{"indexes/a":{"x":%s}}}}' % DEEP,
        b'{"stores":{},"services":{},"overlays":{"w":{"indexes/a":{"x":%s}}}}' % (b"[" * 900 + b"]" * 900),
        '{"stores":{"\ud800":{}},"services":{}}',
    ],
)
def test_text_outside_utf_8_and_deep_nesting(text: bytes | str) -> None:
    with pytest.raises(SettingsError):
        read_settings(text)


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "/no/such/file"])
def test_a_path_that_no_file_has(path: str) -> None:
    with pytest.raises(SettingsError):
        load_settings({"INDEXVAULT_CONFIG": path})
