"""Local variations: rates of one commissioner's area that stand in for national ones, for practices that agreed."""
