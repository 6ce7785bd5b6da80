"""Money that came back or is held for a payee that is gone: two people let it go to whoever is paid it today."""
