"""What is unusual about a run beside the month before, and who took note of it."""
