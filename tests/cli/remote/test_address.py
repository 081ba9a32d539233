import pytest

from indexvault.cli.remote.address import address_of
from indexvault.errors import SettingsError


@pytest.mark.parametrize("url", ["https://vault.example", "https://vault.example/", "https://vault.example/api/"])
def test_the_url_is_that_of_the_app(url: str) -> None:
    assert address_of(url, None, {"INDEXVAULT_KEY": " a-key "}).url == "https://vault.example"


def test_the_key_on_the_command_line_comes_first_and_is_never_shown() -> None:
    address = address_of("http://127.0.0.1:7071", "one", {"INDEXVAULT_KEY": "two"})
    assert address.key == "one"
    assert "one" not in repr(address)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("vault.example", "expected an https URL"),
        ("ftp://vault.example", "expected an https URL"),
        ("https://[", "expected an https URL"),
        ("http://vault.example", "loopback only"),
        ("http://127.0.0.1.example", "loopback only"),
        ("https://vault.example?code=secret", "a key does not belong in it"),
        ("https://user:secret@vault.example", "a key does not belong in it"),
    ],
)
def test_other_urls_are_refused_without_being_repeated(url: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as refused:
        address_of(url, "key", {})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["", "  ", "line\nbreak", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_without_being_repeated(key: str) -> None:
    with pytest.raises(SettingsError, match="INDEXVAULT_KEY") as refused:
        address_of("https://vault.example", None, {"INDEXVAULT_KEY": key})
    assert not key.strip() or key not in str(refused.value)
