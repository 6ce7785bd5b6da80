"""The closing of an issued run, when every pound of it is accounted for, and what the bank sends back after that."""
