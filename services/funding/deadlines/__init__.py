"""Until when claims may be made: dated beliefs, because none is published."""
