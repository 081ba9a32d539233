"""Timers by the clock: each timer trigger fires at its six-field schedule, in UTC.

Unlike the host, this keeps no record of what it fired: a time missed while it was down is not made up by the timer.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from croniter import croniter

from tests.hosting.front import Front
from tests.hosting.worker import Function, FunctionError

_LOG = logging.getLogger(__name__)
_SETTING = re.compile("%([^%]+)%")


def schedule_of(function: Function, settings: Mapping[str, str]) -> str:
    """Return a timer's schedule, with %NAME% replaced by the app setting of that name."""
    text: str = function.trigger["schedule"]
    return _SETTING.sub(lambda found: settings[found[1]], text)


async def keep_firing(front: Front, function: Function, settings: Mapping[str, str]) -> None:
    """Fire a timer at each of its times until cancelled."""
    times = croniter(schedule_of(function, settings), datetime.now(UTC), second_at_beginning=True, day_or=False)
    while True:
        due: datetime = times.get_next(datetime)
        await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
        try:
            await front.fire(function)
        except FunctionError as error:
            _LOG.error("timer %s failed: %s", function.name, error.kind)
