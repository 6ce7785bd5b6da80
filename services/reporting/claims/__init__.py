"""What was claimed, what of it was granted and paid: roles, arrears, practices' GPs, achievements."""
