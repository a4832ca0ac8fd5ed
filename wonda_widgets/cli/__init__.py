"""The command line ``wonda-widgets``, one command a file."""
