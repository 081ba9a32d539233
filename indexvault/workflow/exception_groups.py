"""Errors of tasks that run concurrently."""

from indexvault.errors import IndexvaultError


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to raise for a group: its first IndexvaultError, else its first error of any kind."""
    leaves = list(_leaves(group))
    return next((leaf for leaf in leaves if isinstance(leaf, IndexvaultError)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
