"""Code shared by several widgets: base class, permissions, messages, static output."""
