"""What is due, runs that pay it, and lines that explain themselves."""
