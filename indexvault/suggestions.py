"""What a name that does not exist was probably meant to be."""

from collections.abc import Iterable

_ALIKE = 0.7
_AS_GOOD = 0.1
_MOST = 3


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'hotels'?` for the known names that resemble this one most, or an empty text.

    Names that resemble it about as much are all suggested: the wrong one of two regions is no help.
    """
    import difflib  # noqa: PLC0415 - slow to load, and needed for mistakes only

    rated = sorted(
        ((difflib.SequenceMatcher(None, name.lower(), each.lower()).ratio(), each) for each in known), reverse=True
    )
    alike = [each for ratio, each in rated if ratio >= _ALIKE and ratio > rated[0][0] - _AS_GOOD]
    return f"; did you mean {' or '.join(repr(each) for each in sorted(alike[:_MOST]))}?" if alike else ""
