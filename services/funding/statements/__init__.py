"""Statements: what a payee was paid in a month, where its year stands, what is queried and what is coming."""
