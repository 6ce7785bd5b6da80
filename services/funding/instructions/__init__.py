"""Payment instructions: one net amount a payee of an issued run, and what became of it."""
