"""What belongs to notebooks and not to a widget: ``%%wonda``, loading, nested asyncio."""
