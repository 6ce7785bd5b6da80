"""What workforce keeps of local variations: caps and roles of their own, and which networks stand under them."""
