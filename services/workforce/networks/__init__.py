"""What workforce keeps of networks, their members and their area, as the registry announced them."""
