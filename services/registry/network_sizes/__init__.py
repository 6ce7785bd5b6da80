"""How large a network is on a day, by which rule, and since when it has been outside it."""
