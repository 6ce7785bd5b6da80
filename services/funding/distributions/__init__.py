"""The onward split: a network's payment divided between its members by the rule they agreed."""
