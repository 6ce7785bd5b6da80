"""Claims made from the record of people in post, and what became of them."""
