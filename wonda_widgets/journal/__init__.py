"""The journal: a SQLite file with what was asked of the service and what came back."""
