"""Which patients are covered by a network, on any day."""
