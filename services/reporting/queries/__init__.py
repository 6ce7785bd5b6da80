"""Queries of payments: how many are open or overdue, and how they were answered."""
