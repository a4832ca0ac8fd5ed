"""Widgets that only other widgets use."""
