"""Working days: weekdays that are no bank holiday in England."""
