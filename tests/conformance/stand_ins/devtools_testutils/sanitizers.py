"""Sanitizers clean recordings, of which there are none."""


def add_remove_header_sanitizer(**_options: str) -> None:
    """Do nothing."""


def add_general_regex_sanitizer(**_options: str) -> None:
    """Do nothing."""
