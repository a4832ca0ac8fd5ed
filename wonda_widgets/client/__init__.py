"""The clients `Wonda` and `AsyncWonda`, and the functions that choose or require one."""

from .wonda_client import AsyncWonda, Wonda

__all__ = ["AsyncWonda", "Wonda"]
