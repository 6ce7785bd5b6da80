"""Whether a network is paid before its agreement is in force: a dated rule, recorded nationally; none by default."""
