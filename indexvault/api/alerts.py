"""`/alerts`: what is wrong now; send a test to webhooks."""

from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.model import CONFIGURED_NAME, CONFIGURED_NAME_LENGTH
from indexvault.snapshots.manifest import AwareTime
from indexvault.status.alerts import Alert
from indexvault.status.watch_over import Tested, try_webhooks, what_is_wrong

type WebhookName = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{CONFIGURED_NAME}$(?!\n)",
        max_length=CONFIGURED_NAME_LENGTH,
        description="A webhook in the app's settings.",
        examples=["operators"],
    ),
]


class AlertList(msgspec.Struct, frozen=True):
    """What is wrong now, the worst first, as it was at `checked_at`."""

    checked_at: AwareTime
    alerts: list[Alert]


class AlertTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The webhook to send a test to; without one, all."""

    webhook: WebhookName | None = None


class TestedWebhooks(msgspec.Struct, frozen=True):
    """The webhooks that were sent a test, each with why it did not take it, or null."""

    webhooks: list[Tested]


async def list_alerts(call: Call[None, Nothing, Nothing]) -> Reply:
    """Look at everything, and answer with what is wrong. Tells nobody else."""
    looked = await what_is_wrong(call.resources)
    return Reply(200, AlertList(looked.tick.at, looked.alerts))


async def send_tests(call: Call[AlertTest, Nothing, Nothing]) -> Reply:
    """Send a test. Raises NotFoundError for a webhook that is not configured."""
    return Reply(200, TestedWebhooks(await try_webhooks(call.resources, call.body.webhook)))


ENDPOINTS = (
    Endpoint(
        name="list_alerts",
        method="GET",
        route="alerts",
        summary="What is wrong now",
        handle=list_alerts,
        answers={200: DocumentedAnswer("The alerts that are on.", AlertList)},
    ),
    Endpoint(
        name="test_alerts",
        method="POST",
        route="alerts/tests",
        summary="Send a test to the webhooks of the settings",
        handle=send_tests,
        body=AlertTest,
        answers={200: DocumentedAnswer("What became of it.", TestedWebhooks)},
    ),
)
