"""The reimbursement scheme of 2026/27 in which a practice, not its network, claims what salaried GPs cost it."""
