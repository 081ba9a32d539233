"""Statistics: `servicestats` of a service and `stats` of an index.

Source: recorded traffic of the official SDKs' tests; counters and limits of the newest version from the specification.
"""

from typing import Any

from emulator.tiers import MAX_COMPLEX_COLLECTIONS, MAX_COMPLEX_ELEMENTS, MAX_FIELD_DEPTH, Tier
from emulator.versions import KNOWLEDGE_COUNTERS, SERVICE_KINDS, ApiVersion


def service_statistics(usage: dict[str, int], tier: Tier, version: ApiVersion) -> dict[str, Any]:
    """Return the counters with their quotas, and the limits; `usage` has the counters' own names."""
    quotas: dict[str, int | None] = {
        "aliasesCount": tier.aliases,
        "documentCount": tier.documents,
        "indexesCount": tier.indexes,
        "indexersCount": tier.indexers,
        "dataSourcesCount": tier.indexers,
        "storageSize": tier.storage,
        "synonymMaps": tier.synonym_maps,
        "skillsetCount": tier.indexers,
        "vectorIndexSize": tier.vectors,
        "knowledgeSourcesCount": tier.indexes,
        "knowledgeBasesCount": tier.indexes,
    }
    if not version.knows(SERVICE_KINDS["aliases"]):
        del quotas["aliasesCount"]
    if not version.knows(("2023-11-01", "2023-10-01")):
        del quotas["vectorIndexSize"]
    if not version.knows(KNOWLEDGE_COUNTERS):
        del quotas["knowledgeSourcesCount"], quotas["knowledgeBasesCount"]
    limits: dict[str, int | None] = {
        "maxStoragePerIndex": tier.index_storage or tier.storage,
        "maxFieldsPerIndex": tier.fields_per_index,
        "maxFieldNestingDepthPerIndex": MAX_FIELD_DEPTH,
        "maxComplexCollectionFieldsPerIndex": MAX_COMPLEX_COLLECTIONS,
        "maxComplexObjectsInCollectionsPerDocument": MAX_COMPLEX_ELEMENTS,
    }
    return {
        "counters": {name: {"usage": usage[name], "quota": quota} for name, quota in quotas.items()},
        "limits": limits,
    }
