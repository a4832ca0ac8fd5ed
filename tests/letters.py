"""Seals a key as the browser does, see `wonda_widgets.widgets._sealed`."""

from __future__ import annotations

import secrets

from wonda_widgets.widgets._sealed import LENGTH, SKIPPED


def letter(seal: dict[str, str], text: str) -> dict[str, str]:
    """The part of a message that holds `text`."""
    prime, half, own = int(seal["prime"], 16), int(seal["half"], 16), secrets.randbits(256)
    pad = pow(half, own, prime).to_bytes(LENGTH, "big")[SKIPPED:]
    sealed = bytes(a ^ b for a, b in zip(text.encode(), pad, strict=False))
    return {"half": f"{pow(2, own, prime):x}", "sealed": sealed.hex()}
