"""Posting to Instagram once: checks before a post, duplicate detection, scheduling."""
