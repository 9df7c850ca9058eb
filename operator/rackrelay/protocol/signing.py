"""Proof that a message comes from a holder of the region's agent key.

Both sides of port 5249 use this module: the operator signs what it asks, the agent signs what it answers. So do both
sides of a heartbeat session between a rack and a region replica.
"""

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


def sign_beat(key: bytes, nonce: str, seq: int, body: bytes) -> str:
    """Hex HMAC-SHA256 over one frame of a rack, bound to its session by the nonce and to its place by `seq`."""
    return _mac(key, b"beat", nonce.encode(), b"%d" % seq, body)


def sign_beat_answer(key: bytes, nonce: str, seq: int, body: bytes) -> str:
    """Hex HMAC-SHA256 over a region's answer to the frame with that `seq`."""
    return _mac(key, b"beat answer", nonce.encode(), b"%d" % seq, body)


def _mac(key: bytes, *parts: bytes) -> str:
    # Each part with its length, or two splits of the same bytes would have one signature.
    message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hmac.digest(key, message, "sha256").hex()
