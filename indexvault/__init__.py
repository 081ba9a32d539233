"""Back up Azure AI Search indexes to Blob Storage, and rebuild or move them across services, regions and tiers."""
