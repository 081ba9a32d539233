from emulator.redaction import redacted, written

STORED = {
    "credentials": {"connectionString": "secret-1"},
    "skills": [
        {"name": "a", "apiKey": "secret-2"},
        {"name": "b", "apiKey": "secret-3", "inputs": [{"name": "text"}]},
        {"name": "c", "apiKey": None},
    ],
    "cognitiveServices": {"@odata.type": "#Microsoft.Azure.Search.CognitiveServicesByKey", "key": "secret-4"},
    "encryptionKey": {"accessCredentials": {"applicationId": "id", "applicationSecret": "secret-5"}},
    "key": "no secret",
}


def test_no_secret_is_shown() -> None:
    shown = redacted(STORED)
    assert "secret-" not in str(shown)
    assert shown["credentials"] == {"connectionString": None}
    assert [skill["apiKey"] for skill in shown["skills"]] == ["<redacted>", "<redacted>", None]
    assert shown["cognitiveServices"]["key"] == "<redacted>"
    assert shown["encryptionKey"]["accessCredentials"] == {"applicationId": "id", "applicationSecret": None}
    assert shown["key"] == "no secret"


def test_unchanged_keeps_and_redacted_removes() -> None:
    sent = {
        "credentials": {"connectionString": "<unchanged>"},
        "skills": [{"name": "b", "apiKey": "<unchanged>"}, {"name": "a", "apiKey": "<redacted>"}],
        "cognitiveServices": STORED["cognitiveServices"] | {"key": "<unchanged>"},  # type: ignore[operator]  # a dict
    }
    kept = written(sent, STORED)
    assert kept["credentials"] == {"connectionString": "secret-1"}
    assert kept["skills"] == [{"name": "b", "apiKey": "secret-3"}, {"name": "a", "apiKey": None}]
    assert kept["cognitiveServices"]["key"] == "secret-4"


def test_skills_without_a_name_keep_each_its_own_secret() -> None:
    kind = {"@odata.type": "#Microsoft.Skills.Custom.WebApiSkill"}
    stored = {"skills": [kind | {"apiKey": "secret-1"}, kind | {"apiKey": "secret-2"}]}
    sent = {"skills": [kind | {"apiKey": "<unchanged>"}] * 3}
    assert [skill["apiKey"] for skill in written(sent, stored)["skills"]] == ["secret-1", "secret-2", None]


def test_unchanged_of_nothing_is_nothing() -> None:
    assert written({"apiKey": "<unchanged>"}, None) == {"apiKey": None}
