"""Care-home beds of a network, as its lead commissioner supplies them month by month."""
