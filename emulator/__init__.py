"""A local Azure AI Search for development and tests."""
