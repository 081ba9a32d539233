"""Keeping two services alike across regions: what differs between them, and making one as the other."""
