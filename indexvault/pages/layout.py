"""What all pages have around them: head, skip link, header, navigation, footer."""

from http import HTTPStatus

from indexvault.api.problems import Problem
from indexvault.pages.assets import SCRIPT, STYLE
from indexvault.pages.html import Element, h
from indexvault.pages.parts import commands
from indexvault.pages.request import Page, PageRequest, PageResponse, Redirect, content_security_policy
from indexvault.version import VERSION

_MARK = "M2 4.2 8 1l6 3.2v7.6L8 15l-6-3.2Zm6 3.3 6-3.3M8 7.5 2 4.2M8 7.5V15"


def laid_out(request: PageRequest, page: Page) -> PageResponse:
    """Return a page as an answer, with the headers that keep it apart from everything else."""
    links = request.links
    body = [
        h("a", "Skip to content", href="#content", class_="skip"),
        h(
            "header",
            h(
                "div",
                h("a", _mark(), h("span", "indexvault"), href=links.home(), class_="home"),
                h(
                    "nav",
                    h(
                        "ul",
                        _entry("Status", links.home(), is_here=page.here == "status"),
                        _entry("Runs", links.page("runs"), is_here=page.here == "runs"),
                    ),
                    aria_label="Main",
                ),
                h("p", request.user, class_="user") if request.user else None,
                class_="bar",
            ),
        ),
        h("main", _trail(page), page.content, id="content", tabindex="-1", data_refresh=page.refresh),
        h(
            "footer",
            h("p", f"indexvault {VERSION}, times in UTC"),
            h("p", id="refreshed", role="status"),
            class_="bar",
        ),
    ]
    document = h(
        "html",
        h(
            "head",
            h("meta", charset="utf-8"),
            h("title", f"{page.title} · indexvault"),
            h("meta", name="viewport", content="width=device-width, initial-scale=1"),
            h("meta", name="color-scheme", content="light dark"),
            h("meta", name="robots", content="noindex"),
            h(
                "link",
                rel="stylesheet",
                href=links.asset(STYLE.name),
                integrity=STYLE.integrity,
                nonce=request.nonce,
            ),
            h("script", src=links.asset(SCRIPT.name), integrity=SCRIPT.integrity, nonce=request.nonce, defer=True),
        ),
        h("body", body),
        lang="en",
    )
    return PageResponse(
        status=page.status,
        body=f"<!DOCTYPE html>\n{document.html}\n".encode(),
        headers={"Content-Security-Policy": content_security_policy(request.nonce)},
    )


def redirected(redirect: Redirect) -> PageResponse:
    """Return the answer to a form that was carried out: another page is to be read."""
    return PageResponse(status=HTTPStatus.SEE_OTHER, headers={"Location": redirect.address})


def problem_page(request: PageRequest, problem: Problem) -> Page:
    """Return the page for something that failed."""
    return Page(
        title=problem.title,
        status=problem.status,
        content=h(
            "div",
            h("h1", problem.title),
            h(
                "div",
                h("p", f"{problem.on}: " if problem.on else None, problem.what or problem.detail, class_="what"),
                h("p", commands(problem.do), class_="do") if problem.do else None,
                class_="notice red",
            ),
            h("p", h("a", "Back to the status", href=request.links.home())),
        ),
    )


def _entry(words: str, address: str, *, is_here: bool) -> Element:
    return h("li", h("a", words, href=address, aria_current="page" if is_here else None))


def _trail(page: Page) -> Element | None:
    if not page.trail:
        return None
    steps = [h("li", h("a", words, href=address)) for words, address in page.trail]
    return h("nav", h("ol", steps), aria_label="Breadcrumb", class_="trail")


def _mark() -> Element:
    return h(
        "svg", h("path", d=_MARK), class_="mark", viewBox="0 0 16 16", width=18, height=18, aria_hidden="true",
        focusable="false",
    )  # fmt: skip
