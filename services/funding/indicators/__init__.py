"""What may be achieved in a contract year: indicators of the fund, parts of access improvement."""
