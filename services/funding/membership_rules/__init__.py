"""How a practice that joins or leaves in the middle of a month counts: no rule is published, so ours are dated data."""
