"""What a verb has around it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from indexvault.cli.output import Output
from indexvault.settings.model import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The settings, the environment that holds their secrets, and where to answer."""

    settings: Settings
    environment: Mapping[str, str]
    output: Output
    clock: Callable[[], datetime]
    rng: random.Random
