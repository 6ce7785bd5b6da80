"""Money for additional roles that one network gives up and another takes on, as was allowed to 2023/24."""
