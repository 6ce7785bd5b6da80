"""Rates, sums and ceilings: dated, never edited, superseded by later ones."""
