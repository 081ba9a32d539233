"""Which page answers which address. Whatever fails becomes a page, too."""

import logging
from collections.abc import Awaitable

from indexvault.api.problems import Problem, problem_of, unexpected
from indexvault.errors import ConflictError, IndexvaultError, NotFoundError
from indexvault.pages.assets import ASSETS
from indexvault.pages.index import index_page
from indexvault.pages.layout import laid_out, problem_page, redirected
from indexvault.pages.overview import overview
from indexvault.pages.request import SECURITY_HEADERS, Page, PageRequest, PageResponse, Redirect
from indexvault.pages.restore import restore_page
from indexvault.pages.runs import cancel_page, run_page, runs_page
from indexvault.pages.snapshot import snapshot_page
from indexvault.printable import printable_line

_LOG = logging.getLogger(__name__)
_YEAR = "public, max-age=31536000, immutable"


async def answer(request: PageRequest) -> PageResponse:
    """Return the answer to a request: a page, a redirection after a form, or a page that says what failed."""
    response = await _answer(request)
    media_type = f"{response.media_type}; charset=utf-8"
    return PageResponse(
        status=response.status,
        body=b"" if request.method == "HEAD" else response.body,
        media_type=media_type,
        headers={**SECURITY_HEADERS, **response.headers},
    )


def asset(name: str) -> PageResponse:
    """Return a script or style sheet. Its name changes with its content, so browsers may keep it."""
    found = ASSETS.get(name)
    if found is None:
        return PageResponse(status=404, media_type="text/plain", headers=SECURITY_HEADERS)
    return PageResponse(
        status=200,
        body=found.data,
        media_type=f"{found.media_type}; charset=utf-8",
        headers={**SECURITY_HEADERS, "Cache-Control": _YEAR},
    )


async def _answer(request: PageRequest) -> PageResponse:
    try:
        page = await _page(request)
        return redirected(page) if isinstance(page, Redirect) else laid_out(request, page)
    except IndexvaultError as error:
        _LOG.info("page %s: %s", printable_line("/".join(request.path)), error)
        problem = problem_of(error)
    except Exception:  # noqa: BLE001 - the last handler before the caller, who must not see internals
        _LOG.exception("page %s failed unexpectedly", printable_line("/".join(request.path)))
        problem = unexpected()
    return refusal(request, problem)


def refusal(request: PageRequest, problem: Problem) -> PageResponse:
    """Return the page that says what failed."""
    return laid_out(request, problem_page(request, problem))


def _page(request: PageRequest) -> Awaitable[Page | Redirect]:
    return _form(request) if request.method == "POST" else _shown(request)


def _shown(request: PageRequest) -> Awaitable[Page | Redirect]:
    match request.path:
        case ():
            return overview(request)
        case ("runs",):
            return runs_page(request)
        case ("runs", run):
            return run_page(request, run)
        case ("indexes", service, index):
            return index_page(request, service, index)
        case ("snapshots", service, index, point):
            return snapshot_page(request, service, index, point)
        case ("snapshots", service, index, point, "restore"):
            return restore_page(request, service, index, point)
    raise NotFoundError("there is no such page", on="this address", do="Start from the status")


def _form(request: PageRequest) -> Awaitable[Page | Redirect]:
    match request.path:
        case ("runs", run, "cancel"):
            return cancel_page(request, run)
        case ("snapshots", service, index, point, "restore"):
            return restore_page(request, service, index, point)
    raise ConflictError("this page takes no form", on="this address", do="Start from the status")
