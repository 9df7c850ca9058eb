"""What can go wrong, by what to do about it. Nothing here knows kopf or the Kubernetes client."""


class RackrelayError(Exception):
    """Base of every error that rackrelay raises on purpose."""


class InvalidSpec(RackrelayError):
    """The user's resource cannot work as written; retrying will not help. The message names the field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class NotReady(RackrelayError):
    """Something this step needs does not exist yet; an event or the next round will bring it."""


class Unreadable(NotReady):
    """The other side answered with a document that this release cannot read."""


class NotLeading(RackrelayError):
    """Another operator may write now; what is left undone is its business, or ours when we lead again."""


class Conflict(RackrelayError):
    """Somebody else wrote the object since it was read; read again and decide again."""


class StoreSetBack(RackrelayError):
    """The API server knows less than before: begin anew, for nobody is told what it has forgotten or has once more."""


class TooLarge(RackrelayError):
    """What should be kept does not fit where it is kept; what was kept before stays until there is less."""


class ClusterError(RackrelayError):
    """The Kubernetes API refused or did not answer; retry with backoff."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
