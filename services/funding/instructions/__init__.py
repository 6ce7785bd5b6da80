"""Payment instructions: one net amount a payee of an issued run, until it is confirmed, returned, carried forward or redirected."""
