"""Roles outside the national list that a commissioner agreed with one network, and what is paid for them."""
