"""Notebook features that are not widgets: ``%%wonda``, preloading, nested asyncio."""
