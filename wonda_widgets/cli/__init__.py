"""The command line ``wonda-widgets``, one command per file."""
