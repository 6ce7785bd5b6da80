"""Under which local variations a network stands, wholly or in part, month by month."""
