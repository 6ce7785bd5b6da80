"""People in post and what their month cost."""
