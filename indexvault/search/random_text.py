"""Tell random texts, such as keys and tokens, from words that people choose.

Random letters and digits change their kind every other character; words keep it for longer. This is a guess: a short
password made of words passes for words.
"""

import re

_RUNS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_PARTS = re.compile(r"[A-Za-z]+|[0-9]+")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_VOWELS = frozenset("aeiouyAEIOUY")

_RANDOM_RUN = 2.2
"""Characters between changes of kind in random base64, at most; in words there are three and more."""
_RANDOM_CHANGE = 4.0
"""Characters between a letter and a digit in random hexadecimal and base36, at most."""
_LONG = 16
_MOST_LETTERS = 40
_MOST_DIGITS = 12
_MOST_CHANGES = 2
_MOST_CHANGES_IN_ALL = 5
_FEWEST_VOWELS = 0.15


def is_random(text: str) -> bool:
    """Return whether a text of 16 characters or more looks random: letters and digits that alternate all the time."""
    runs = _RUNS.findall(text)
    size = sum(map(len, runs))
    digits = sum(len(run) for run in runs if run[0].isdigit())
    if size < _LONG or not 0 < digits < size:
        return False
    return size < _RANDOM_RUN * len(runs) or size < _RANDOM_CHANGE * _changes(_BETWEEN_WORDS.split(text))


def are_words(text: str) -> bool:
    """Return whether a text is made of words, versions and numbers, such as `text-embedding-3-small` or `v1.0`."""
    words = [word for word in _BETWEEN_WORDS.split(text) if word]
    numbers = sum(word.isdigit() for word in words)
    is_long = sum(map(len, words)) >= _LONG
    return all(map(_is_word, words)) and not (is_long and _changes(words) + numbers > _MOST_CHANGES_IN_ALL)


def _changes(words: list[str]) -> int:
    """Return how often letters and digits follow each other within words."""
    return sum(max(0, len(_PARTS.findall(word)) - 1) for word in words)


def _is_word(word: str) -> bool:
    if not word.isascii():
        return word.isalpha()
    if word.isdigit():
        return len(word) <= _MOST_DIGITS
    if not word.isalpha():
        parts = _PARTS.findall(word)
        return len(parts) - 1 <= _MOST_CHANGES and len(word) <= _MOST_LETTERS and all(map(_is_word, parts))
    if len(word) < _LONG:
        return True
    runs = _RUNS.findall(word)
    vowels = sum(letter in _VOWELS for letter in word)
    return len(word) <= _MOST_LETTERS and len(word) > _RANDOM_RUN * len(runs) and vowels >= _FEWEST_VOWELS * len(word)
