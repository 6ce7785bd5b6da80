"""How a network's sum for additional roles follows its members through the year: no rule is published, so ours is
dated data."""
