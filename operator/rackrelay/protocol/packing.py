"""Long text as few bytes, always the same for the same text: what the operator packs, agents unpack."""

import gzip
import zlib

# So many bytes of text at most: a damaged ConfigMap must not fill a node's memory.
MAX_TEXT_BYTES = 64 * 2**20
_GZIP = 31


def pack(text: str) -> bytes:
    """The text as gzip without a time."""
    return gzip.compress(text.encode(), 6, mtime=0)


def unpack(packed: bytes) -> str:
    """The text that was packed.

    Raises:
        ValueError: it is not what `pack` makes, or only a part of it.
    """
    stream = zlib.decompressobj(wbits=_GZIP)
    try:
        text = stream.decompress(packed, MAX_TEXT_BYTES)
    except zlib.error as error:
        raise ValueError(f"not gzip: {error}") from error
    if not stream.eof:
        raise ValueError("it is cut off, or longer than a zone can be")
    return text.decode()
