"""What was paid for months whose right to be paid is withdrawn later: taken back, and paid again when it comes back."""
