"""Azure AI Search as indexvault uses it: raw requests over the official SDK's pipeline."""
