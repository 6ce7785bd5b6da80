"""The answer to the question whether a post could be claimed, month by month."""
