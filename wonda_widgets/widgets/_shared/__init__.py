"""What several widgets need: the base class, permissions, messages, static output."""
