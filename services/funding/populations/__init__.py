"""Populations for payment: frozen on a snapshot day, by basis and practice, and restated when they were wrong."""
