"""Arrears of pay after ceilings were raised and backdated: one extra claim of a network for a year."""
