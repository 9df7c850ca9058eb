"""A name server of the internal zone, by its place."""

from typing import NamedTuple


class NameServer(NamedTuple):
    """One name server of the internal zone: the named of a rack or of a region replica.

    `name` is the node's for a rack, the pod's for a region replica; it is unique in the namespace. It is a tuple, for a
    thousand of them are looked up many times for each change of a zone, and a tuple is hashed three times as fast.
    """

    namespace: str
    name: str
    address: str
    port: int
