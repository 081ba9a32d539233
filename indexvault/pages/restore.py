"""Restore a snapshot from a form: first the preflight, as a dry run, then the confirmation of exactly that."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from indexvault.api.decode import decode_members
from indexvault.api.endpoint import Nothing
from indexvault.api.problems import problem_of
from indexvault.api.restore_requests import RestoreRequest
from indexvault.api.restores import PreflightView, restore
from indexvault.api.run_views import RunView
from indexvault.errors import IndexvaultError, NotFoundError, RequestError
from indexvault.model import Mode
from indexvault.pages.form import read_form
from indexvault.pages.html import Child, Element, h
from indexvault.pages.parts import Column, badge, commands, facts, section, state, table
from indexvault.pages.request import Page, PageRequest, Redirect
from indexvault.pages.snapshot import find_snapshot
from indexvault.pages.words import ago, left, size
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.summary import Summary

_PURPOSE = "restore"
_MODES: Sequence[tuple[Mode, str]] = (
    ("create", "make a new index; the name must be free"),
    ("replace", "make a new index beside the old one, then swap the alias"),
    ("sync", "make the existing index equal to the snapshot: what it has besides is deleted"),
    ("fill", "only add the documents that the existing index lacks"),
)
_SWITCHES: Mapping[str, str] = {
    "accept_loss": "Restore it although it is lossy: without the fields it lacks",
    "accept_unsettled": "Restore it although it is unsettled: documents may be missing",
    "accept_unauthentic": "Restore it although no record key has signed it: anybody may have written it",
    "allow_cross_region": "Let the data leave the region of its service",
    "skip_refused": "Continue without documents that the target refuses; the report lists them",
}


class RestoreForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the form sends. A switch that is off is not there."""

    target_service: str = ""
    target_index: str = ""
    mode: str = "create"
    alias: str = ""
    overlay: str = ""
    accept_loss: Literal["", "yes"] = ""
    accept_unsettled: Literal["", "yes"] = ""
    accept_unauthentic: Literal["", "yes"] = ""
    allow_cross_region: Literal["", "yes"] = ""
    skip_refused: Literal["", "yes"] = ""
    step: Literal["check", "restore"] = "check"
    token: str = ""


async def restore_page(request: PageRequest, service: str, index: str, point: str) -> Page | Redirect:
    """Return the form, the form with its preflight, or the run that was started."""
    if index == SERVICE_OBJECTS:
        raise NotFoundError(
            "all of a service is restored with the command line, or with POST /api/restores",
            on=f"{service}/{index}",
            do="See `indexvault restore --help`",
        )
    snapshot = await find_snapshot(request, service, index, point)
    if request.method != "POST":
        return _page(request, snapshot, _proposal(request, snapshot))
    form = decode_members(read_form(request), RestoreForm, "form")
    try:
        asked = _asked(snapshot, form)
        if form.step == "restore":
            return await _start(request, snapshot, form, asked)
        reply = await restore(request.call(msgspec.structs.replace(asked, dry_run=True), Nothing(), Nothing()))
    except IndexvaultError as error:
        return _page(request, snapshot, form, error=error)
    assert isinstance(reply.content, PreflightView)  # noqa: S101 - what a dry run of an index answers
    return _page(request, snapshot, form, found=reply.content, asked=asked)


async def _start(request: PageRequest, snapshot: Summary, form: RestoreForm, asked: RestoreRequest) -> Redirect:
    request.tokens.require(form.token, _PURPOSE, _content(snapshot, asked), request.resources.clock())
    reply = await restore(request.call(asked, Nothing(), Nothing()))
    assert isinstance(reply.content, RunView)  # noqa: S101 - what a restore answers
    return Redirect(request.links.page("runs", reply.content.run))


def _content(snapshot: Summary, asked: RestoreRequest) -> bytes:
    """Return what a token of this form is bound to: all that is asked for, and the content of the snapshot."""
    return msgspec.json.encode(asked) + snapshot.content_digest.encode()


def _asked(snapshot: Summary, form: RestoreForm) -> RestoreRequest:
    """Return the request that the form makes. Raises RequestError for a value that can't be one."""
    members: dict[str, Any] = {
        "snapshot": str(snapshot.reference),
        "target_service": form.target_service,
        "mode": form.mode,
        **{name: True for name in _SWITCHES if getattr(form, name)},
    }
    for name in ("target_index", "alias", "overlay"):
        if said := getattr(form, name).strip():
            members[name] = said
    try:
        return msgspec.convert(members, RestoreRequest)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        member = path.rstrip("`") or "form"
        said = "this can't be such a name" if "regex" in what else f"{what[:1].lower()}{what[1:]}"
        raise RequestError(said, on=member.replace("_", " "), do="Correct it and check again") from None


def _proposal(request: PageRequest, snapshot: Summary) -> RestoreForm:
    """Return the form as it is opened: beside the index, on the service that it is from."""
    configured = snapshot.service in request.resources.clients.settings.services
    return RestoreForm(
        target_service=snapshot.service if configured else "", target_index=f"{snapshot.index}-restored"[:128]
    )


def _page(
    request: PageRequest,
    snapshot: Summary,
    form: RestoreForm,
    *,
    found: PreflightView | None = None,
    asked: RestoreRequest | None = None,
    error: IndexvaultError | None = None,
) -> Page:
    links = request.links
    named = f"{snapshot.service}/{snapshot.index}"
    title = "Restore: preflight" if found is not None else "Restore"
    checked = _preflight(request, snapshot, form, found, asked) if found is not None and asked is not None else None
    return Page(
        title=f"{'Error: ' if error is not None else ''}{title} {named}@{snapshot.id}",
        status=200 if error is None else problem_of(error).status,
        trail=(
            ("Status", links.home()),
            (named, links.page("indexes", snapshot.service, snapshot.index)),
            (snapshot.id, links.page("snapshots", snapshot.service, snapshot.index, snapshot.id)),
        ),
        content=h(
            "div",
            h("div", h("h1", f"Restore {named}"), state(snapshot.state), class_="headline"),
            facts(
                [
                    (
                        "Snapshot",
                        [h("span", snapshot.id, class_="name"), " ", ago(snapshot.created, request.resources.clock())],
                    ),
                    ("Documents", f"{snapshot.documents:,}, {size(snapshot.bytes)}"),
                ]
            ),
            _error(error) if error is not None else None,
            checked,
            section("Check again" if checked is not None else "Where to", _form(request, snapshot, form), name="form"),
        ),
    )


def _error(error: IndexvaultError) -> Element:
    return h(
        "div",
        h("h2", "This can't be done"),
        h("p", f"{error.on}: {error.what}.", class_="what"),
        h("p", commands(f"{error.do}."), class_="do"),
        class_="notice red",
        role="alert",
    )


def _form(request: PageRequest, snapshot: Summary, form: RestoreForm) -> Element:
    settings = request.resources.clients.settings
    services: list[Child] = [
        h("option", f"{name} ({each.region}, {each.tier})", value=name, selected=name == form.target_service)
        for name, each in settings.services.items()
    ]
    overlays = [h("option", "none", value="")]
    overlays += [h("option", name, value=name, selected=name == form.overlay) for name in settings.overlays]
    modes = [
        h(
            "label",
            h("input", type="radio", name="mode", value=mode, checked=mode == form.mode),
            h("span", h("b", mode), f": {words}"),
            class_="choice",
        )
        for mode, words in _MODES
    ]
    return h(
        "form",
        h("input", type="hidden", name="step", value="check"),
        _labelled("Target service", h("select", services, name="target_service", id="target-service", required=True)),
        _labelled(
            "Target index",
            _name_input("target_index", form.target_index, required=True),
            hint="In the modes other than create it may be an alias.",
        ),
        h("fieldset", h("legend", "What to do with the target"), modes),
        _labelled(
            "Alias", _name_input("alias", form.alias), hint="Optional: made or swapped once the index is proved."
        ),
        _labelled("Overlay", h("select", overlays, name="overlay", id="overlay")) if settings.overlays else None,
        h("fieldset", h("legend", "Allowances"), [_switch(name, form) for name in _switches(request, snapshot, form)]),
        h("p", h("button", "Check, without writing anything", type="submit", class_="button"), class_="actions"),
        method="post",
        action=_action(request, snapshot),
        class_="stacked",
    )


def _switches(request: PageRequest, snapshot: Summary, form: RestoreForm) -> list[str]:
    """Return the allowances that can matter for a snapshot, and those that are given already."""
    settings = request.resources.clients.settings
    matters = {
        "accept_loss": snapshot.state == "lossy" or bool(snapshot.losses),
        "accept_unsettled": snapshot.state == "unsettled",
        "accept_unauthentic": not snapshot.is_trusted,
        "allow_cross_region": settings.allow_cross_region_requests,
        "skip_refused": True,
    }
    return [name for name in _SWITCHES if matters[name] or getattr(form, name)]


def _switch(name: str, form: RestoreForm) -> Element:
    box = h("input", type="checkbox", name=name, value="yes", checked=bool(getattr(form, name)))
    return h("label", box, h("span", _SWITCHES[name]), class_="choice")


def _labelled(words: str, control: Element, hint: str = "") -> Element:
    name = words.lower().replace(" ", "-")
    return h(
        "div",
        h("label", words, for_=name),
        control,
        h("p", hint, id=f"{name}-hint", class_="hint") if hint else None,
        class_="field",
    )


def _name_input(name: str, value: str, *, required: bool = False) -> Element:
    label = name.replace("_", "-")
    return h(
        "input",
        type="text",
        name=name,
        id=label,
        value=value,
        required=required,
        maxlength=128,
        autocomplete="off",
        autocapitalize="none",
        spellcheck="false",
        aria_describedby=f"{label}-hint",
    )


def _preflight(
    request: PageRequest, snapshot: Summary, form: RestoreForm, found: PreflightView, asked: RestoreRequest
) -> Element:
    target = f"{asked.target_service}/{asked.target_index or snapshot.index}"
    rows: list[list[Child]] = [
        [check.name, state(check.outcome), check.what, commands(check.do) if check.do else ""] for check in found.checks
    ]
    columns = (Column("Check"), Column("Outcome"), Column("What is so"), Column("What to do"))
    said = badge("green", "ready") if found.ready else badge("red", "would not begin")
    return section(
        "Preflight",
        facts(
            [
                ("Would do", f"{asked.mode} {target}"),
                ("Writes", f"{found.documents:,} documents, {size(found.bytes)}, in about {found.requests:,} requests"),
                ("Takes", f"{left(round(found.seconds)).removesuffix(' left')}, roughly"),
                ("Resumes", found.resumes),
            ]
        ),
        table("What was checked; the stored chunks are checked when the restore begins", columns, rows),
        _confirmation(request, snapshot, form, asked, target) if found.ready else None,
        name="preflight",
        beside=said,
    )


def _confirmation(
    request: PageRequest, snapshot: Summary, form: RestoreForm, asked: RestoreRequest, target: str
) -> Element:
    members = {name: getattr(form, name) for name in RestoreForm.__struct_fields__ if name not in {"step", "token"}}
    token = request.tokens.make(_PURPOSE, _content(snapshot, asked), request.resources.clock())
    hidden = {**{name: said for name, said in members.items() if said}, "step": "restore", "token": token}
    return h(
        "form",
        [h("input", type="hidden", name=name, value=said) for name, said in hidden.items()],
        h("p", h("button", f"Restore to {target} now", type="submit", class_="button strong"), class_="actions"),
        method="post",
        action=_action(request, snapshot),
    )


def _action(request: PageRequest, snapshot: Summary) -> str:
    return request.links.page("snapshots", snapshot.service, snapshot.index, snapshot.id, "restore")
