"""How fast the system is, each figure beside the floor of the same machine in the same minute."""
