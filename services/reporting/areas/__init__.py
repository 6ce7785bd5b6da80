"""Commissioners, systems, practices and networks: the map every report is drawn on."""
