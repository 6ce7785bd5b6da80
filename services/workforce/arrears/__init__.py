"""Arrears of pay claimed once for a year, after ceilings were raised and backdated."""
