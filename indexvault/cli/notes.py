"""Losses and notes of a report, as every verb prints them."""

from collections.abc import Sequence

from rich.text import Text


def losses_and_notes(losses: Sequence[str], notes: Sequence[str]) -> list[Text]:
    """Return a line for each loss and each note."""
    return [
        *(Text(f"  not in it: {loss}", style="yellow") for loss in losses),
        *(Text(f"  note: {note}", style="yellow") for note in notes),
    ]
