"""Who is in post, against what was planned."""
