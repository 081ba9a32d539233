"""Read the settings from JSON, and check them member by member."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE, NotFoundError, SettingsError
from indexvault.model import CONFIGURED_NAME, CONFIGURED_NAME_LENGTH
from indexvault.search.addresses import host_of, is_plain_address
from indexvault.search.credentials import audience
from indexvault.search.random_text import are_words
from indexvault.settings.alerts import check_webhooks
from indexvault.settings.changes import check_changes
from indexvault.settings.members import members_at
from indexvault.settings.model import (
    PORTAL_TIERS,
    TIERS,
    AlertSettings,
    DrillSettings,
    EnvironmentSecret,
    PairSettings,
    PolicySettings,
    PriceSettings,
    RequestLimits,
    ServiceSettings,
    Settings,
    StoreIdentities,
    StoreSettings,
)
from indexvault.settings.overlays import check_overlays
from indexvault.settings.pairs import check_pairs
from indexvault.settings.patterns import check_patterns
from indexvault.settings.places import check_containers, check_places
from indexvault.settings.residency import check_residency
from indexvault.settings.resources import check_resource
from indexvault.settings.schedule import SHORTEST, Schedule, shortest_interval
from indexvault.settings.secrets import check_variable
from indexvault.settings.store_hosts import check_connection_string, store_authority
from indexvault.snapshots.labels import check_labels, check_tag_filter
from indexvault.suggestions import suggestion

_CORRECT = "Correct the settings"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_PATH_OF_FIELD = re.compile(r"^(?P<what>.*?)(?: - at (?:key in )?`(?P<path>[^`]*)`)?$", re.DOTALL)

_QUOTED = re.compile(r"value '([^']*)'")
_MALFORMED = re.compile(r"^JSON is malformed: | \(byte \d+\)$")
"""What the decoder puts around what is wrong: a position that counts from somewhere else than the file's begin."""
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_JSON_WORDS = {
    "object": "an object",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
}
_SECRETS = (".api_key", ".connection_string", ".record_key")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")


def read_settings(text: str | bytes, environment: Mapping[str, str] | None = None) -> Settings:
    """Read settings from JSON.

    `environment` holds the connection strings that the settings name, to see whether two stores are one place. Raises
    SettingsError naming the path of the first wrong field and what was expected there.
    """
    outline = _decode(text, _Outline, "$")
    settings = Settings(
        stores={name: _decode(raw, StoreSettings, f"$.stores.{name}") for name, raw in outline.stores.items()},
        services={name: _decode(raw, ServiceSettings, f"$.services.{name}") for name, raw in outline.services.items()},
        policies={name: _decode(raw, PolicySettings, f"$.policies.{name}") for name, raw in outline.policies.items()},
        drills={name: _decode(raw, DrillSettings, f"$.drills.{name}") for name, raw in outline.drills.items()},
        pairs={name: _decode(raw, PairSettings, f"$.pairs.{name}") for name, raw in outline.pairs.items()},
        allow_cross_region=outline.allow_cross_region,
        allow_cross_region_requests=outline.allow_cross_region_requests,
        allow_removal_requests=outline.allow_removal_requests,
        record_key=(
            _decode(outline.record_key, EnvironmentSecret, "$.record_key") if bytes(outline.record_key) else None
        ),
        requests=_decode(outline.requests, RequestLimits, "$.requests"),
        alerts=_decode(outline.alerts, AlertSettings, "$.alerts"),
        prices=_decode(outline.prices, PriceSettings, "$.prices"),
        overlays={
            name: _decode(raw, dict[str, dict[str, Any]], f"$.overlays.{name}")
            for name, raw in outline.overlays.items()
        },
    )
    for name, store in settings.stores.items():
        _check_name(name, f"$.stores.{name}")
        _check_store(store, f"$.stores.{name}")
    for name, service in settings.services.items():
        _check_name(name, f"$.services.{name}")
        _check_service(service, f"$.services.{name}", settings)
    for name, policy in settings.policies.items():
        _check_name(name, f"$.policies.{name}")
        _check_policy(policy, f"$.policies.{name}", settings)
    for name, drill in settings.drills.items():
        _check_name(name, f"$.drills.{name}")
        _check_drill(drill, f"$.drills.{name}", settings)
    for name in settings.pairs:
        _check_name(name, f"$.pairs.{name}")
    for name in settings.alerts.webhooks:
        _check_name(name, f"$.alerts.webhooks.{name}")
    check_webhooks(settings.alerts)
    check_places(settings, environment or {})
    check_overlays(settings)
    check_pairs(settings)
    check_residency(settings)
    return settings


def service_settings(settings: Settings, name: str) -> ServiceSettings:
    """Return the settings of a service by its name. Raises NotFoundError naming the known services."""
    if name not in settings.services:
        alike = suggestion(name, settings.services)
        raise NotFoundError(
            "no service of this name is configured",
            on=f"service {name}",
            do=f"Known services: {', '.join(sorted(settings.services)) or 'none'}"
            + (alike or ". An index is written SERVICE/INDEX" * bool(settings.services)),
        )
    return settings.services[name]


def store_settings(settings: Settings, name: str) -> StoreSettings:
    """Return the settings of a store by its name. Raises NotFoundError naming the known stores."""
    if name not in settings.stores:
        raise NotFoundError(
            "no store of this name is configured",
            on=f"store {name}",
            do=f"Known stores: {', '.join(sorted(settings.stores)) or 'none'}{suggestion(name, settings.stores)}",
        )
    return settings.stores[name]


class _Outline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings with every entry still undecoded, so that an error can name its entry."""

    stores: dict[str, msgspec.Raw]
    services: dict[str, msgspec.Raw]
    policies: dict[str, msgspec.Raw] = {}
    drills: dict[str, msgspec.Raw] = {}
    pairs: dict[str, msgspec.Raw] = {}
    allow_cross_region: bool = False
    allow_cross_region_requests: bool = False
    allow_removal_requests: bool = False
    overlays: dict[str, msgspec.Raw] = {}
    record_key: msgspec.Raw = msgspec.Raw()
    requests: msgspec.Raw = msgspec.Raw(b"{}")
    alerts: msgspec.Raw = msgspec.Raw(b"{}")
    prices: msgspec.Raw = msgspec.Raw(b"{}")
    schema: str = msgspec.field(default="", name="$schema")
    """For editors: what it says is not read."""


def _decode[Decoded](text: str | bytes | msgspec.Raw, kind: type[Decoded], path: str) -> Decoded:
    try:
        return decode(text, kind)
    except msgspec.ValidationError as error:
        found = _PATH_OF_FIELD.match(str(error))
        below, what = (found["path"] or "$", found["what"]) if found else ("$", str(error))
        what = _QUOTED.sub(lambda value: value[0] if are_words(value[1]) else "value", what)
        if what.startswith("Invalid enum value") and below == "$.tier":
            what = f"{what}; expected one of {', '.join(TIERS)}"
            what += "".join(f"; {portal} is {tier}" for portal, tier in PORTAL_TIERS.items() if f"'{portal}'" in what)
        what = _in_words(what, below)
        unknown = _UNKNOWN.search(what)
        known = members_at(kind, below) if unknown else []
        raise SettingsError(
            _lower_first(what),
            on=f"settings {path}{below.removeprefix('$')}",
            do=f"Known here: {', '.join(known)}{suggestion(unknown[1], known)}" if unknown else _CORRECT,
        ) from None
    except UNDECODABLE as error:
        what = _MALFORMED.sub("", str(error))
        raise SettingsError(f"not JSON: {_lower_first(what)}", on="settings", do=_CORRECT) from None


def _in_words(what: str, member: str) -> str:
    """Return what the decoder says of a wrong value, in the words of JSON, with an example where there is one."""
    if what == "Invalid ISO8601 duration":
        return 'Expected a duration in ISO 8601, such as "P90D" for ninety days or "PT36H" for 36 hours'
    found = _EXPECTED.fullmatch(what)
    if found is None:
        return what
    expected, got = (_JSON_WORDS.get(each.removesuffix(" | null"), each) for each in found.groups())
    example = ', such as {"env": "NAME"}, which names a variable' if member.endswith(_SECRETS) else ""
    return f"{what}: {expected} is needed{example}, and this is {got}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _check_name(name: str, path: str) -> None:
    if not re.fullmatch(CONFIGURED_NAME, name):
        raise SettingsError(
            f"expected a name of lower-case letters, digits and inner dashes, at most {CONFIGURED_NAME_LENGTH} long",
            on=f"settings {path}",
            do=_CORRECT,
        )


def _check_store(store: StoreSettings, path: str) -> None:
    if (store.account_url is None) == (store.connection_string is None):
        raise SettingsError("expected either account_url or connection_string", on=f"settings {path}", do=_CORRECT)
    if store.account_url is not None:
        _check_url(store.account_url, f"{path}.account_url")
        _check_token_host(store.account_url, store.token_host, store_authority, f"{path}.account_url")
    elif store.identities != StoreIdentities():
        raise SettingsError(
            "expected account_url: a connection string has an identity of its own",
            on=f"settings {path}.identities",
            do=_CORRECT,
        )
    if isinstance(store.connection_string, EnvironmentSecret):
        check_variable(store.connection_string.env, f"settings {path}.connection_string")
    check_connection_string(store, path)
    check_containers(store, path)


def _check_service(service: ServiceSettings, path: str, settings: Settings) -> None:
    _check_url(service.endpoint, f"{path}.endpoint")
    if service.api_key is not None:
        check_variable(service.api_key.env, f"settings {path}.api_key")
    else:
        _check_token_host(service.endpoint, service.token_host, audience, f"{path}.endpoint")
    check_resource(service, path)
    if service.store not in settings.stores:
        raise SettingsError(
            f"no store is named {service.store!r} (stores: {', '.join(sorted(settings.stores)) or 'none'})",
            on=f"settings {path}.store",
            do=f"{_CORRECT}{suggestion(service.store, settings.stores)}",
        )


def _check_service_name(name: str, path: str, settings: Settings) -> None:
    if name not in settings.services:
        raise SettingsError(
            f"no service is named {name!r} (services: {', '.join(sorted(settings.services)) or 'none'})",
            on=f"settings {path}",
            do=f"{_CORRECT}{suggestion(name, settings.services)}",
        )


def _check_drill(drill: DrillSettings, path: str, settings: Settings) -> None:
    _check_service_name(drill.service, f"{path}.service", settings)
    _check_service_name(drill.target, f"{path}.target", settings)
    check_patterns(drill.indexes, on=f"settings {path}.indexes")
    if drill.recovery_time is not None and drill.recovery_time < timedelta(minutes=1):
        raise SettingsError(
            "expected a minute or more, such as PT30M", on=f"settings {path}.recovery_time", do=_CORRECT
        )
    if drill.overlay is not None and drill.overlay not in settings.overlays:
        raise SettingsError(
            f"no overlay is named {drill.overlay!r} (overlays: {', '.join(sorted(settings.overlays)) or 'none'})",
            on=f"settings {path}.overlay",
            do=f"{_CORRECT}{suggestion(drill.overlay, settings.overlays)}",
        )
    Schedule(drill.schedule, on=f"settings {path}.schedule")


def _check_policy(policy: PolicySettings, path: str, settings: Settings) -> None:
    _check_service_name(policy.service, f"{path}.service", settings)
    check_patterns(policy.indexes, on=f"settings {path}.indexes")
    for position, store in enumerate(policy.replicate_to):
        others = sorted(settings.stores.keys() - {settings.services[policy.service].store})
        if store not in others:
            raise SettingsError(
                f"expected another store than the service's own (there are: {', '.join(others) or 'none'})",
                on=f"settings {path}.replicate_to[{position}]",
                do=_CORRECT,
            )
    for name in ("full_every", "verify_within"):
        duration = getattr(policy, name)
        if duration is not None and duration < timedelta(days=1):
            raise SettingsError("expected a day or more, such as P90D", on=f"settings {path}.{name}", do=_CORRECT)
    if policy.changes is not None:
        check_changes(policy.changes, on=f"settings {path}.changes")
    if policy.recovery_point is not None and policy.recovery_point < timedelta(minutes=1):
        raise SettingsError(
            "expected a minute or more, such as PT26H", on=f"settings {path}.recovery_point", do=_CORRECT
        )
    check_labels(policy.labels, f"settings {path}")
    check_time_limit(policy.time_limit, f"settings {path}.time_limit")
    for tag in policy.keep.tagged if policy.keep is not None else ():
        check_tag_filter(tag, f"settings {path}.keep.tagged")
    Schedule(policy.schedule, on=f"settings {path}.schedule")
    if shortest_interval(policy.schedule) < SHORTEST:
        raise SettingsError(
            "expected a minute or more between two times", on=f"settings {path}.schedule", do='Write "0 * * * * *"'
        )


def check_time_limit(limit: timedelta | None, on: str) -> None:
    """Raise SettingsError for a time limit that no run could keep, or that is none."""
    if limit is not None and not timedelta(seconds=1) <= limit <= timedelta(days=365):
        raise SettingsError("expected a second or more, such as PT6H, and at most a year", on=on, do=_CORRECT)


def _check_token_host(url: str, token_host: str | None, cloud_of: Callable[..., str], path: str) -> None:
    """Raise SettingsError for a host that must not get tokens. Loopback gets none either, which its client says."""
    if urlsplit(url).hostname in _LOOPBACK:
        return
    try:
        cloud_of(url, token_host=token_host)
    except SettingsError as error:
        raise SettingsError(error.what, on=f"settings {path}", do=error.do) from None


def _check_url(text: str, path: str) -> None:
    try:
        url = urlsplit(text)
        host, _port = url.hostname, url.port
    except ValueError:
        host, url = None, urlsplit("")
    if url.scheme not in {"https", "http"} or not host:
        example = (
            "contosoeast.blob.core.windows.net" if path.endswith("account_url") else "contoso-east.search.windows.net"
        )
        raise SettingsError(f"expected an https URL, such as https://{example}", on=f"settings {path}", do=_CORRECT)
    if url.username or url.password or url.query or url.fragment:
        raise SettingsError(
            "expected a URL without user, query or fragment (a SAS or a key does not belong here)",
            on=f"settings {path}",
            do=_CORRECT,
        )
    if not url.path.isascii() or not is_plain_address(text):
        raise SettingsError("expected a URL whose path holds no key", on=f"settings {path}", do=_CORRECT)
    if url.scheme == "http" and host not in _LOOPBACK:
        raise SettingsError("expected https: http is for loopback only", on=f"settings {path}", do=_CORRECT)
    if host_of(text) is None:
        raise SettingsError(
            "expected an https URL whose host can be read in one way only", on=f"settings {path}", do=_CORRECT
        )
