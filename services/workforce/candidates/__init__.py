"""People who applied: a reference their network gave them, never a name."""
