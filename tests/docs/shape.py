"""What two outputs share that were printed at different times: everything but times, ids, sizes and widths."""

import re

_RULES = (
    (r"\x1b\[[0-9;]*m", ""),
    (r"\b[0-9a-f]{64}\b", "<digest>"),
    (r"\b\d{8}[Tt]\d{6}[Zz]?(?:-[0-9a-f]{6})?\b", "<id>"),
    (r"\b\d{14}\b", "<id>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:Z| UTC)?\b", "<time>"),
    (r"\b\d{4}-\d\d-\d\d\b", "<day>"),
    (r'"0x[0-9A-F]+"', "<etag>"),
    (r"\b[\d,.]+ (?:bytes?|kB|MB|GB)\b", "<size>"),
    (r"\b[\d.]+ (?:ms|s|min|h|d)\b(?: [\d.]+ (?:s|min)\b)?", "<duration>"),
    (r"(?<=  )now(?=  )", "<duration>"),
    (r"https?://127\.0\.0\.1:\d+", "<address>"),
    (r"https://contoso-(?:east|west)\.search\.windows\.net", "<address>"),
    (r"\b\d+ requests?\b", "<requests>"),
    (r" +", " "),
)
_PROGRESS = re.compile(
    r"^[\w/@ -]+: [\d,]+ (?:of [\d,]+ )?documents?.*(?: in [\d.]+ (?:s|min)|, [\d.]+ (?:s|min|h) left)$"
)


def shape(line: str) -> str:
    """Return a line of an output without what differs from one run to the next."""
    for pattern, stand_in in _RULES:
        line = re.sub(pattern, stand_in, line)
    return line.strip()


def without_progress(lines: list[str]) -> list[str]:
    """Return an output without the lines of progress, which a terminal takes away again."""
    return [line for line in lines if not _PROGRESS.match(line)]


def agree(shown: tuple[str, ...], printed: list[str]) -> bool:
    """Return whether a page shows what was printed. `...` stands for any lines, `…` for any text in a line."""
    pattern = ""
    for line in shown:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(shape(part)) if part else "" for part in line.split("…")) + r"\n"
    return re.fullmatch(pattern, "".join(f"{shape(line)}\n" for line in printed)) is not None
