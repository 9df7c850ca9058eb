"""What binds the frames of one session to it, from either side."""

import secrets

from rackrelay.protocol.frames import NONCE_BYTES


def build_nonce() -> str:
    """A value that was never used before."""
    return secrets.token_hex(NONCE_BYTES)
