"""Fixtures that every room's tests may ask for."""

from hypothesis import HealthCheck, settings

from tests.azurite import azurite, storage_account
from tests.watch import providers, watch

__all__ = ["azurite", "providers", "storage_account", "watch"]

# A busy machine is no finding: nothing here may fail for the time that an example takes. The examples are the same in
# every run; `pytest --hypothesis-profile search` draws new ones, and more of them.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")
