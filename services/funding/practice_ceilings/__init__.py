"""The most a practice may be reimbursed for GPs in a year, and what is left of it."""
