"""What was paid, budgeted and claimed."""
