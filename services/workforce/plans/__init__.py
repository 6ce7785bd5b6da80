"""The workforce plan of a network and year."""
