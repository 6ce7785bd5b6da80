"""The dated catalogue of roles a network may be reimbursed for."""
