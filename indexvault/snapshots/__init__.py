"""The snapshot format at rest: chunks, manifests, the store they live in. Knows neither search nor workflows."""
