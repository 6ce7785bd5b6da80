"""What a payee owes and will never be set against a payment: written off or recovered, by two people."""
