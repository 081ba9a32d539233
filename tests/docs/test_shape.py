from tests.docs.blocks import Block, Event, parts_of
from tests.docs.shape import agree, without_progress

PAGE = """\
Text.

<!-- world: hotels -->

1. First:

   ```console
   $ indexvault backup contoso-east \\
       hotels     # one index
   complete  contoso-east/hotels@20261120T023000Z-7f3a9c
   $ echo $?
   0
   ```

```json
{}
```
"""


def test_a_page_is_events_and_blocks() -> None:
    event, block, settings = parts_of(PAGE)
    assert event == Event(3, "hotels")
    assert isinstance(block, Block)
    assert [(step.line, step.command, step.after) for step in block.steps] == [
        (8, "indexvault backup contoso-east hotels", 11),
        (11, "echo $?", 13),
    ]
    assert block.steps[0].shown == ("complete  contoso-east/hotels@20261120T023000Z-7f3a9c",)
    assert isinstance(settings, Block)
    assert (settings.language, settings.steps) == ("json", ())


def test_times_ids_and_sizes_may_differ_and_nothing_else() -> None:
    shown = ("complete  a/b@20261120T023000Z-7f3a9c", "  20 documents, 1.2 MB; 1.4 s")
    assert agree(shown, ["complete  a/b@20261121T111111Z-aaaaaa", "  20 documents, 900 kB; 2 min 3 s"])
    assert not agree(shown, ["complete  a/b@20261121T111111Z-aaaaaa", "  21 documents, 900 kB; 2 min 3 s"])
    assert not agree(shown, ["lossy  a/b@20261121T111111Z-aaaaaa", "  20 documents, 900 kB; 2 min 3 s"])
    assert not agree(shown, shown[:1])  # type: ignore[arg-type]


def test_what_a_page_leaves_out_may_be_anything() -> None:
    assert agree(("first", "...", "last"), ["first", "2", "3", "last"])
    assert agree(("first", "...", "last"), ["first", "last"])
    assert not agree(("first", "...", "last"), ["first", "2"])
    assert agree(("fields … of them",), ["fields 1, 2 and 3 of them"])


def test_progress_is_left_out() -> None:
    lines = [
        "contoso-east/hotels reading: 20,000 documents, 29.6 MB in 1.5 s",
        "contoso-west/hotels loading: 20 of 400 documents, 29.6 MB in 1.5 s",
        "complete  contoso-east/hotels@20261120T023000Z-7f3a9c",
    ]
    assert without_progress(lines) == lines[2:]
