"""What workforce keeps of role ceilings and budgets, as funding announced them."""
