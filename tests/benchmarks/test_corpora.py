"""Corpora are the same for a seed, and of the sizes that their names promise."""

import functools
import itertools
import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from benchmarks.corpora import CORPORA, changed_documents, documents
from benchmarks.daily import days_of_kilobytes, days_of_rows

SIZES = {"text": 2000, "small": 200, "vectors": 19000, "nested": 2800, "wide": 5100}
SMALL = CORPORA["small"]


@functools.cache
def made(name: str) -> list[tuple[str, bytes]]:
    return list(documents(CORPORA[name], 200_000, 1))


@pytest.mark.parametrize("name", CORPORA)
def test_is_the_same_for_a_seed_whatever_its_size(name: str) -> None:
    shorter = list(documents(CORPORA[name], 60_000, 1))
    assert shorter == made(name)[: len(shorter)]


def test_is_another_for_another_seed() -> None:
    other = list(documents(SMALL, 60_000, 2))
    assert not {line for _key, line in other} & {line for _key, line in made("small")}


@pytest.mark.parametrize("name", CORPORA)
def test_has_the_size_that_was_asked_for(name: str) -> None:
    size = sum(len(line) + 1 for _key, line in made(name))
    assert 200_000 <= size < 230_000
    assert size / len(made(name)) == pytest.approx(SIZES[name], rel=0.2)


@pytest.mark.parametrize("name", CORPORA)
def test_documents_are_json_with_the_fields_of_the_definition(name: str) -> None:
    fields = [field["name"] for field in CORPORA[name].definition("a")["fields"]]
    for key, line in made(name)[:100]:
        document = json.loads(line)
        assert list(document) == fields
        assert document["id"] == key
    assert len(fields) == 200 or name != "wide"


def test_changes_a_share_of_the_documents() -> None:
    before = dict(made("small"))
    changed = dict(changed_documents(SMALL, list(before), 0.005, 2))
    assert len(changed) == round(len(before) * 0.005)
    assert changed.keys() < before.keys()
    assert all(changed[key] != before[key] for key in changed)
    assert changed == dict(changed_documents(SMALL, sorted(before), 0.005, 2))


@pytest.mark.parametrize(("days_of", "size"), [(days_of_kilobytes, 1000), (days_of_rows, 370)])
def test_days_follow_from_each_other(days_of: Callable[[int, int], Iterator[Mapping[str, bytes]]], size: int) -> None:
    days = [dict(state) for state in days_of(400, 3)]
    assert days == [dict(state) for state in days_of(400, 3)]
    assert sum(map(len, days[0].values())) / 400 == pytest.approx(size, rel=0.1)
    for before, after in itertools.pairwise(days):
        assert before.keys() == after.keys()
        assert sum(before[key] != after[key] for key in before) == 2
