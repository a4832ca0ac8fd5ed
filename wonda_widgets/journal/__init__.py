"""The journal: a SQLite file that records each request to the service and its outcome."""
