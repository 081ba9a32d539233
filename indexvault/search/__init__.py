"""Azure AI Search: raw requests over the official SDK's pipeline."""
