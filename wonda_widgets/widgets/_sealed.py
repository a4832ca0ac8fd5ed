"""A sealed letter from the browser, so that no log of messages has the key.

Jupyter's own logs show whole messages at DEBUG (the one named "Comm" does in any
notebook that logs everything), and the kernel keeps the latest. So a key is sent
sealed by Diffie-Hellman (RFC 3526, group 14): both sides tell half of a secret, and
the message is the key under a pad that only the whole secret gives. The browser
makes a fresh half for each letter, so that no pad is used twice.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ..credentials import ApiKey

if TYPE_CHECKING:
    from collections.abc import Callable

PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)
LENGTH = 256  # bytes of the prime
SKIPPED = 16  # the pad begins after the bytes that the prime's leading ones could bend


class Seal:
    """One half of a secret, and how to open what was sealed with it.

    Attributes
    ----------
    shown : dict
        For the browser; no secret.
    opened : callable
        The `ApiKey` of a letter (``half`` and ``sealed``, both in hexadecimal).
    """

    __slots__ = ("opened", "shown")

    def __init__(self) -> None:
        secret = secrets.randbits(256)
        self.shown = {"prime": f"{PRIME:x}", "half": f"{pow(2, secret, PRIME):x}"}

        def opened(letter: dict[str, Any]) -> ApiKey:
            half, sealed = int(str(letter["half"]), 16), bytes.fromhex(str(letter["sealed"]))
            pad = pow(half, secret, PRIME).to_bytes(LENGTH, "big")[SKIPPED:]
            # In one expression, so that the key is in no local.
            return ApiKey(bytes(map(int.__xor__, sealed, pad)).decode(errors="replace"))

        self.opened: Callable[[dict[str, Any]], ApiKey] = opened
