"""Claims for additional roles: what a post cost in a month, checked, decided and paid."""
