"""Evaluate a filter, a JMESPath expression, on documents of which neither is trusted.

The language has no loops, but a short expression can double a value again and again, and then have it compared or
written out: 175 characters took minutes. So each evaluation has a budget of steps that grows with the document only.
Whatever the library does that takes longer for a larger value is charged by that value's size before it is done; the
time for one document is bounded by construction, and a document that exceeds it ends the restore.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from jmespath import ast, parser
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

from indexvault.errors import SettingsError

LONGEST_FILTER = 4096
"""Characters."""
_DEEPEST = 150
"""Levels of an expression: the interpreter has two calls for each, and Python ends at 1000."""
_STEPS = 10_000
_STEPS_PER_BYTE = 1
_CHARACTERS_PER_STEP = 8
_LONGEST_SHOWN = 120
_EQUALITIES = frozenset({"eq", "ne"})
_FAILURES = (JMESPathError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError)
"""The library lets Python's errors through: `a[::0]`, a number compared with a text, 1000 brackets."""


class DocumentFilter:
    """A filter. Raises SettingsError for a text that is no JMESPath expression, too long or too deep."""

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) > LONGEST_FILTER:
            raise _unfit(text, f"it has {len(text)} characters, and at most {LONGEST_FILTER} are taken")
        try:
            self._tree = parser.Parser().parse(text).parsed
        except JMESPathError as error:
            raise _unfit(text, str(error).partition("\n")[0][:200]) from None
        except _FAILURES as error:
            raise _unfit(text, type(error).__name__) from None
        if _depth(self._tree) > _DEEPEST:
            raise _unfit(text, f"it has more than {_DEEPEST} levels")

    def matches(self, document: bytes) -> bool:
        """Return whether a document, as JSON, matches: the result is not null, false or empty.

        Raises SettingsError if the filter can't be applied to it, or takes more steps than its size allows.
        """
        budget = _Budget(_STEPS + _STEPS_PER_BYTE * len(document))
        try:
            return _is_true(_Interpreter(budget).visit(self._tree, msgspec.json.decode(document)))
        except _ExhaustedError:
            raise _unfit(self._text, "it takes too many steps on one of them") from None
        except _FAILURES as error:
            # The error's text may quote the document.
            raise _unfit(self._text, type(error).__name__) from None


class _ExhaustedError(Exception):
    """The budget is used up."""


class _Budget:
    def __init__(self, steps: int) -> None:
        self._left = steps

    def charge(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _ExhaustedError

    def charge_for(self, value: Any) -> None:
        """Charge a step for each value inside a value, as often as it is reached, and for each few characters."""
        waiting = [iter((value,))]
        while waiting:
            for inner in waiting[-1]:
                self.charge(1)
                if isinstance(inner, str):
                    self.charge(len(inner) // _CHARACTERS_PER_STEP)
                elif isinstance(inner, list):
                    waiting.append(iter(inner))
                    break
                elif isinstance(inner, dict):
                    waiting.append(_members(inner))
                    break
            else:
                waiting.pop()


class _Interpreter(TreeInterpreter):
    """The library's interpreter with a budget: a step for each node visited, and more for what depends on sizes."""

    def __init__(self, budget: _Budget) -> None:
        super().__init__(Options(custom_functions=_Functions(budget)))
        self._budget = budget

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._budget.charge(1)
        return super().visit(node, *args, **kwargs)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        self._budget.charge_for(left)
        self._budget.charge_for(right)
        if isinstance(left, str) != isinstance(right, str) and node["value"] not in _EQUALITIES:
            return None  # as for all that has no order; a number may be the text "NaN" in some documents
        comparator: Any = ast.comparator(node["value"], ast.literal(left), ast.literal(right))
        return super().visit_comparator(comparator, value)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            self._budget.charge(sum(len(element) if isinstance(element, list) else 1 for element in base))
        flatten: Any = ast.flatten(ast.literal(base))
        return super().visit_flatten(flatten, value)

    def visit_slice(self, node: Any, value: Any) -> Any:
        if isinstance(value, list):
            self._budget.charge(len(value))
        return super().visit_slice(node, value)


class _Functions(Functions):
    """The library's functions, each of which takes a time in proportion to its arguments; `join` to its result."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        arguments = list(resolved_args)
        for argument in arguments:
            self._budget.charge_for(argument)
        match function_name, arguments:
            case "join", [str() as separator, list() as parts]:
                self._budget.charge(len(separator) * len(parts) // _CHARACTERS_PER_STEP)
        return super().call_function(function_name, arguments)


def _members(value: dict[str, Any]) -> Iterator[Any]:
    for name, inner in value.items():
        yield name
        yield inner


def _depth(tree: Any) -> int:
    """Return how many levels an expression has, but no more than one above the limit."""
    level, depth = [tree], 0
    while level and depth <= _DEEPEST:
        level = [child for node in level for child in node["children"] if isinstance(child, dict)]
        depth += 1
    return depth


def _unfit(text: str, why: str) -> SettingsError:
    shown = repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")
    return SettingsError(
        f"it is not a JMESPath expression for these documents ({why})",
        on=f"filter {shown}",
        do='Write it as "Rating >= `4`" or "contains(Tags, \'pool\')"',
    )


def _is_true(value: Any) -> bool:
    """Return whether a value is true in JMESPath's sense: zero is."""
    return value not in (None, False, "", [], {}) or (value == 0 and not isinstance(value, bool) and value is not None)
