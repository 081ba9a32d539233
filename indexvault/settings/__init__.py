"""The settings: services, stores, policies, overlays, and the names under which they are configured."""
