"""The style sheet and the script of the pages: files of their own, under names that change with their content."""

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, the name that it is served under, and its hash for browsers to check."""

    name: str
    media_type: str
    data: bytes
    integrity: str


def _load(stem: str, ending: str, media_type: str) -> Asset:
    data = files("indexvault.pages").joinpath("assets", f"{stem}.{ending}").read_bytes()
    digest = hashlib.sha384(data).digest()
    return Asset(
        name=f"{stem}-{digest.hex()[:12]}.{ending}",
        media_type=media_type,
        data=data,
        integrity=f"sha384-{base64.b64encode(digest).decode()}",
    )


STYLE = _load("style", "css", "text/css")
SCRIPT = _load("page", "js", "text/javascript")
ASSETS = {asset.name: asset for asset in (STYLE, SCRIPT)}
