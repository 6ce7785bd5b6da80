"""Funding decides what every network and practice is due, and pays it.

It owns rates, its copies of networks and populations, accounts, budgets for additional roles, claims and payment runs.
It announces rates published, budgets set, payments issued and the outcome of claims; it listens to the registry (who is
in which network, how many patients) and to workforce (what the people in post cost).
"""
