"""Lines of payment runs: what they remember, how they explain themselves, who may see them."""
