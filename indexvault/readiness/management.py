"""What Azure Resource Manager knows of a search service: replicas, partitions, tier, region, age and state.

The identity needs *Reader* on the service, as for backups. No message or log holds an address of the management API: it
names the subscription.
"""

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from indexvault.discovery import CLOUDS, Cloud
from indexvault.errors import (
    ForbiddenError,
    NotFoundError,
    SettingsError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from indexvault.search.credentials import authority
from indexvault.settings.model import TIERS, ServiceSettings, Tier
from indexvault.settings.resources import resource_of
from indexvault.snapshots.manifest import AwareTime

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

API_VERSION = "2025-05-01"
"""What azure-mgmt-search 9.2.0 speaks. Source: Search Management REST API, Services - Get, 2025-05-01."""
SECONDS = 10.0
"""The longest that asking may take."""
_LIMIT = 1024 * 1024
_ON = "Azure Resource Manager"
_DO = "Give the identity the role Reader on the search service"


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A search service as Azure Resource Manager knows it. None means that it did not tell, or told nonsense.

    `status` is such as `running` or `degraded`; `takes_roles` and `takes_keys` whether Entra roles and API keys count.
    """

    region: str | None = None
    tier: Tier | None = None
    replicas: int | None = None
    partitions: int | None = None
    created: AwareTime | None = None
    status: str | None = None
    takes_roles: bool | None = None
    takes_keys: bool | None = None


async def read_resource(
    service: ServiceSettings, credential: "AsyncTokenCredential", cloud: Cloud | None = None
) -> Resource:
    """Return a service by the resource id of its settings. The token goes to the cloud's management address alone.

    Raises SettingsError without a resource id, ForbiddenError without the role, and other errors below RemoteError.
    """
    from azure.core import exceptions  # noqa: PLC0415 - slow to load

    named = resource_of(service.resource_id or "")
    if named is None:
        raise SettingsError("no resource id is set", on=_ON, do="Set resource_id in the settings of the service")
    chosen = cloud or cloud_of(service)
    try:
        async with asyncio.timeout(SECONDS):
            found = await _get(chosen, credential, named.subscription, named.group, named.name)
    except TimeoutError:
        raise UnreachableError(f"no answer within {SECONDS:g} s", on=_ON, do="Check the network path") from None
    except exceptions.ResourceNotFoundError:
        raise NotFoundError(
            "it knows no service of this resource id", on=_ON, do="Correct resource_id in the settings of the service"
        ) from None
    except exceptions.ClientAuthenticationError as error:
        if error.status_code == 401:  # noqa: PLR2004 - Unauthorized
            raise ForbiddenError("the identity may not ask it (HTTP 401)", on=_ON, do=_DO) from None
        raise UnauthorizedError("no Entra identity could be obtained", on=_ON, do=_DO) from None
    except (exceptions.HttpResponseError, exceptions.DeserializationError) as error:
        status = getattr(error, "status_code", None)
        if status == 403:  # noqa: PLR2004 - Forbidden
            raise ForbiddenError("the identity may not ask it (HTTP 403)", on=_ON, do=_DO) from None
        what = "an answer in another form than documented" if status in {None, 200} else f"HTTP {status}"
        raise UnexpectedAnswerError(what, on=_ON, do="Try again") from None
    except (exceptions.AzureError, OSError, ValueError) as error:
        raise UnreachableError(f"no complete answer ({type(error).__name__})", on=_ON, do="Try again") from None
    return _resource(found)


def cloud_of(service: ServiceSettings) -> Cloud:
    """Return the cloud that a service is in, by its endpoint. Raises SettingsError for a service on loopback."""
    issuer = authority(service.endpoint, token_host=service.token_host)
    return next(cloud for cloud in CLOUDS.values() if cloud.authority == issuer)


async def _get(cloud: Cloud, credential: "AsyncTokenCredential", subscription: str, group: str, name: str) -> Any:
    from azure.core.pipeline import policies  # noqa: PLC0415 - slow to load
    from azure.mgmt.search.aio import SearchManagementClient  # noqa: PLC0415 - the same

    from indexvault.readiness.bounded_connections import BoundedConnections  # noqa: PLC0415 - the same

    secure = cloud.management.startswith("https://")
    if not secure and not re.match(r"http://127\.0\.0\.1:\d+$", cloud.management):
        raise SettingsError("expected https", on=cloud.management, do="Use one of the known clouds")
    scope = f"{cloud.management}/.default"
    token = policies.AsyncBearerTokenCredentialPolicy(credential, scope, enforce_https=secure)
    # The SDK's own policies would register resource providers, follow redirections and log addresses.
    chosen = [policies.UserAgentPolicy(sdk_moniker="indexvault"), policies.ContentDecodePolicy(), token]
    async with SearchManagementClient(
        credential,
        subscription,
        base_url=cloud.management,
        credential_scopes=[scope],
        policies=chosen,
        transport=BoundedConnections(_LIMIT),
    ) as client:
        return await client.services.get(group, name, enforce_https=secure)


def _resource(found: Any) -> Resource:
    """Return what counts of the SDK's model, each value only if it is such as documented."""
    sku = getattr(found.sku, "name", None)
    hosting = str(found.hosting_mode or "").lower()
    tier = "standard3hd" if (sku, hosting) == ("standard3", "highdensity") else sku
    created = getattr(found.system_data, "created_at", None)
    keys_off, options = found.disable_local_auth, found.auth_options
    return Resource(
        region=found.location if isinstance(found.location, str) else None,
        tier=next((each for each in TIERS if each == tier), None),
        replicas=_count(found.replica_count),
        partitions=_count(found.partition_count),
        created=created.astimezone(UTC) if isinstance(created, datetime) and created.tzinfo is not None else None,
        status=str(found.status) if found.status is not None else None,
        takes_keys=None if keys_off is None else not keys_off,
        takes_roles=bool(keys_off) or getattr(options, "aad_or_api_key", None) is not None,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 1 <= value <= 12 else None  # noqa: PLR2004 - the most there are
