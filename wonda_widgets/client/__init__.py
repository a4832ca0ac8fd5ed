"""The client: `Wonda`, `AsyncWonda`, and the functions that choose or need one."""

from .wonda_client import AsyncWonda, Wonda

__all__ = ["AsyncWonda", "Wonda"]
