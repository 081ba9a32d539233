"""What a result lacks, and what the operator should know of it, as all verbs say it."""

from collections.abc import Sequence

from rich.text import Text


def shortcomings(losses: Sequence[str], notes: Sequence[str]) -> list[Text]:
    """Return a line for each loss and each note."""
    return [
        *(Text(f"  not in it: {loss}", style="yellow") for loss in losses),
        *(Text(f"  note: {note}", style="yellow") for note in notes),
    ]
