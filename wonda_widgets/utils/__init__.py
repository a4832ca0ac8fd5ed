"""Helpers that several packages share: the event loop, clocks, files and text."""
