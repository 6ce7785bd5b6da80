"""How registration goes against its deadlines."""
