"""What of a network's sum for additional roles is claimed, committed and likely to be lost at the year's end."""
