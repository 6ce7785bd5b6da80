"""The rules a network agreed for dividing its money, and what its agreement suggests."""
