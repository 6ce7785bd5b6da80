"""Versions of network agreements and the days on which they are in force, as the registry announced them."""
