"""Payment files: an issued run as it leaves for the bank, and the bank's answer."""
