"""Forms: read what a browser sends, and refuse what another site made it send."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from indexvault.errors import ConflictError, OversizedError, RequestError
from indexvault.pages.request import PageRequest

MEDIA_TYPE = "application/x-www-form-urlencoded"
MOST_BYTES = 64 * 1024
_MOST_MEMBERS = 50


def read_form(request: PageRequest) -> dict[str, str]:
    """Return the members of a form that one of our own pages has sent.

    Raises ConflictError for a form of another site, OversizedError and RequestError for one that can't be read.
    """
    require_same_origin(request.headers)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise RequestError("it is no form", on="body", do="Use the page")
    if len(request.body) > MOST_BYTES:
        raise OversizedError(f"the form has more than {MOST_BYTES:,} bytes", on="body", do="Send less")
    try:
        pairs = parse_qsl(
            request.body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_MEMBERS,
        )
    except ValueError:
        raise RequestError("the form can't be read", on="body", do="Use the page") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise RequestError("a member of the form is there twice", on="body", do="Use the page")
    return form


def require_same_origin(headers: Mapping[str, str]) -> None:
    """Raise ConflictError unless the browser says that the form is from a page of this same host.

    `Sec-Fetch-Site`, which no page can forge, decides where it is sent; else `Origin` is compared with the host. A
    request with neither is refused: every browser of today sends one of them with a form.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None:
        is_ours = site == "same-origin"
    else:
        is_ours = origin is not None and origin != "null" and origin.partition("://")[2] == headers.get("host")
    if not is_ours:
        raise ConflictError(
            "this form was not sent by a page of this app", on="form", do="Open the page and send it from there"
        )
