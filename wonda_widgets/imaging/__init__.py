"""Decode untrusted images within limits, create previews, edit images and save originals."""
