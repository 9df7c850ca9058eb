"""Proof that a status request and its answer come from holders of the region's agent key.

Both sides of port 5249 use this module: the operator signs what it asks, the agent signs what it answers.
"""

import hashlib
import hmac

HEADER_TIME = "X-Rackrelay-Time"
HEADER_NONCE = "X-Rackrelay-Nonce"
HEADER_SIGNATURE = "X-Rackrelay-Signature"
MAX_SKEW_S = 300


def sign_request(key: bytes, path: str, unix_time: int, nonce: str) -> str:
    """Hex HMAC-SHA256 over the request's path, time (seconds since the epoch) and nonce."""
    return _mac(key, b"request", path.encode(), str(unix_time).encode(), nonce.encode())


def sign_answer(key: bytes, nonce: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over the answer's body, bound to the request's nonce so that no old answer can be replayed."""
    return _mac(key, b"answer", nonce.encode(), body)


def matches(expected: str, given: str) -> bool:
    """Whether two signatures are equal, in time that does not depend on where they differ."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def is_fresh(unix_time: int, now: int) -> bool:
    """Whether a request was signed within the clock skew that nodes of one cluster may have."""
    return abs(now - unix_time) <= MAX_SKEW_S


def _mac(key: bytes, *parts: bytes) -> str:
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
