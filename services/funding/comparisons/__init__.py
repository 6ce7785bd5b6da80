"""How a payment found in a file compares with what was due: plain rules over dated facts, with no database."""
