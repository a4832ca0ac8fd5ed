"""Requests that take effect: each is submitted once, polled, and ended once."""
