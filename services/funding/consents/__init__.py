"""Practices agreeing to a local variation, each for itself and from a day on."""
