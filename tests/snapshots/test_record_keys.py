import pytest

from indexvault.errors import SettingsError
from indexvault.snapshots.record_keys import NO_KEYS, read_record_keys
from tests.keyed import KEY, KEYS, ONLY_OTHER, OTHER_KEY, ROTATED


def test_a_signature_is_of_its_purpose_and_its_parts() -> None:
    signature = KEYS.sign("record", b"ab", b"c")
    assert KEYS.verify(signature, "record", b"ab", b"c")
    assert not KEYS.verify(signature, "manifest", b"ab", b"c")
    assert not KEYS.verify(signature, "record", b"a", b"bc")
    assert not KEYS.verify(signature, "record", b"abc")
    assert not KEYS.verify(signature, "record", b"ab", b"c", b"")


@pytest.mark.parametrize("signature", ["", "x", "-", f"{'0' * 8}-{'0' * 64}", "\u0661" * 8 + "-" + "0" * 64])
def test_what_is_no_signature_verifies_nothing(signature: str) -> None:
    assert not KEYS.verify(signature, "record")
    assert not NO_KEYS.verify(signature, "record")


def test_the_first_key_signs_and_all_verify() -> None:
    old, new = KEYS.sign("record", b"x"), ROTATED.sign("record", b"x")
    assert ROTATED.verify(old, "record", b"x")
    assert ROTATED.verify(new, "record", b"x")
    assert ONLY_OTHER.verify(new, "record", b"x")
    assert not ONLY_OTHER.verify(old, "record", b"x")
    assert ROTATED.ids == ONLY_OTHER.ids + KEYS.ids


@pytest.mark.parametrize("text", ["short", KEY[:42], f"{KEY},{KEY[:42]}", "a" * 64, "", " , ", f"{KEY[:-2]}é!"])
def test_weak_keys_are_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_record_keys(text, "settings $.record_key")
    assert "openssl rand -hex 32" in raised.value.do
    assert not any(len(part) > 3 and part in str(raised.value) for part in text.split(","))


@pytest.mark.parametrize(
    "text", [KEY, f"{KEY}, {OTHER_KEY}", f"{KEY} {OTHER_KEY}", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"]
)
def test_keys_in_hexadecimal_and_base64_are_taken(text: str) -> None:
    assert read_record_keys(text, "a test")


def test_a_key_vault_reference_that_was_not_resolved_is_no_key() -> None:
    with pytest.raises(SettingsError):
        read_record_keys("@Microsoft.KeyVault(SecretUri=https://contoso.vault.azure.net/secrets/record-key)", "a test")
