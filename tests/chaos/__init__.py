"""The stack under faults: the same journeys with and without a storm must leave the same records."""
