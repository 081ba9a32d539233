"""Corpora are the same for a seed, and of the sizes that their names promise."""

import json

import pytest

from benchmarks.corpora import CORPORA, changed_documents, daily_states, documents

SIZES = {"text": 2000, "small": 200, "vectors": 19000, "nested": 2800, "wide": 5100}


@pytest.mark.parametrize("name", CORPORA)
def test_is_the_same_for_a_seed_and_another_for_another(name: str) -> None:
    corpus = CORPORA[name]
    first = list(documents(corpus, 60_000, 1))
    assert first == list(documents(corpus, 60_000, 1))
    assert first != list(documents(corpus, 60_000, 2))
    assert first == list(documents(corpus, 90_000, 1))[: len(first)]


@pytest.mark.parametrize("name", CORPORA)
def test_has_the_size_that_was_asked_for(name: str) -> None:
    lines = [line for _key, line in documents(CORPORA[name], 200_000, 1)]
    size = sum(len(line) + 1 for line in lines)
    assert 200_000 <= size < 230_000
    assert size / len(lines) == pytest.approx(SIZES[name], rel=0.2)


@pytest.mark.parametrize("name", CORPORA)
def test_documents_are_json_with_the_fields_of_the_definition(name: str) -> None:
    corpus = CORPORA[name]
    fields = [field["name"] for field in corpus.definition("a")["fields"]]
    for key, line in documents(corpus, 60_000, 1):
        document = json.loads(line)
        assert list(document) == fields
        assert document["id"] == key
    assert len(fields) == 200 or name != "wide"


def test_changes_a_share_of_the_documents() -> None:
    before = dict(documents(CORPORA["small"], 400_000, 1))
    changed = dict(changed_documents(CORPORA["small"], list(before), 0.005, 2))
    assert len(changed) == round(len(before) * 0.005)
    assert changed.keys() < before.keys()
    assert all(changed[key] != before[key] for key in changed)
    assert changed == dict(changed_documents(CORPORA["small"], sorted(before), 0.005, 2))


def test_states_of_days_follow_from_each_other() -> None:
    days = [dict(state) for state in daily_states(CORPORA["text"], 400, 3, 0.005, 1)]
    for before, after in zip(days, days[1:], strict=False):
        assert before.keys() == after.keys()
        assert sum(before[key] != after[key] for key in before) == 2
