"""Which regions have availability zones for search services, since when, and which regions are paired."""

from collections.abc import Mapping
from datetime import date

from indexvault.settings.residency import plain_region

AS_OF = "2026-09"

ZONES: Mapping[str, date] = {
    "australiaeast": date(2021, 1, 30),
    "brazilsouth": date(2021, 5, 2),
    "canadacentral": date(2021, 1, 30),
    "centralindia": date(2022, 1, 20),
    "centralus": date(2020, 12, 4),
    "chinanorth3": date(2022, 9, 7),
    "eastasia": date(2022, 1, 13),
    "eastus": date(2021, 1, 27),
    "eastus2": date(2021, 1, 30),
    "francecentral": date(2020, 10, 23),
    "germanywestcentral": date(2021, 5, 3),
    "israelcentral": date(2024, 4, 1),
    "italynorth": date(2024, 4, 1),
    "japaneast": date(2021, 1, 30),
    "koreacentral": date(2022, 1, 20),
    "northeurope": date(2021, 1, 28),
    "norwayeast": date(2022, 1, 20),
    "qatarcentral": date(2022, 8, 25),
    "southafricanorth": date(2022, 9, 7),
    "southcentralus": date(2021, 4, 30),
    "southeastasia": date(2021, 1, 31),
    "swedencentral": date(2022, 1, 21),
    "switzerlandnorth": date(2022, 9, 7),
    "uaenorth": date(2022, 9, 9),
    "uksouth": date(2021, 1, 30),
    "usgovvirginia": date(2021, 4, 30),
    "westeurope": date(2021, 1, 29),
    "westus2": date(2021, 1, 30),
    "westus3": date(2021, 6, 2),
}
"""The day from which new services use zones by themselves, at tier Standard or higher with two replicas or more.

Source: Reliability in Azure AI Search, availability zone support, 2026-09."""

_PAIRS = (
    ("australiaeast", "australiasoutheast"),
    ("australiacentral", "australiacentral2"),
    ("canadacentral", "canadaeast"),
    ("centralindia", "southindia"),
    ("centralus", "eastus2"),
    ("chinaeast", "chinanorth"),
    ("chinaeast2", "chinanorth2"),
    ("chinaeast3", "chinanorth3"),
    ("eastasia", "southeastasia"),
    ("eastus", "westus"),
    ("francecentral", "francesouth"),
    ("germanywestcentral", "germanynorth"),
    ("japaneast", "japanwest"),
    ("koreacentral", "koreasouth"),
    ("northcentralus", "southcentralus"),
    ("northeurope", "westeurope"),
    ("norwayeast", "norwaywest"),
    ("southafricanorth", "southafricawest"),
    ("swedencentral", "swedensouth"),
    ("switzerlandnorth", "switzerlandwest"),
    ("uaenorth", "uaecentral"),
    ("uksouth", "ukwest"),
    ("usgovarizona", "usgovtexas"),
    ("westcentralus", "westus2"),
)
_ONE_WAY = {
    "brazilsouth": "southcentralus",
    "usgovvirginia": "usgovtexas",
    "westindia": "southindia",
    "westus3": "eastus",
}
PAIRED: Mapping[str, str] = {one: two for pair in _PAIRS for one, two in (pair, pair[::-1])} | _ONE_WAY
"""The region that geo-redundant storage of a region is copied to. Not every region has one, and some pairs hold in one
direction only. Source: List of Azure regions; Azure region pairs and nonpaired regions."""


def same(one: str, other: str) -> bool:
    """Return whether two texts name one region."""
    return plain_region(one) == plain_region(other)
