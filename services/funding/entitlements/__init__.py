"""What a network and its practices are due for a year, as known now."""
