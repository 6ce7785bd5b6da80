"""Funding's own copy of commissioners, practices and networks, fed by the registry's events."""
