"""The most a network may be reimbursed for additional roles in a year."""
