"""Accounts: where a network's money goes."""
