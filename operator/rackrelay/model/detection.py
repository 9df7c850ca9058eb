"""How soon a name server that says nothing counts as silent: what `spec.failureDetection` of a region asks for."""

from dataclasses import dataclass
from functools import cached_property

# What follows from a pace is chosen such that the default one gives these.
_USUAL_PATIENCE_S = 0.75
_POLL_WAIT_S = 2.0
_SHORTEST_POLL_WAIT_S = 0.5


@dataclass(frozen=True)
class FailureDetection:
    """Everybody is asked, and racks beat, once per interval; so many in a row without an answer count as silence."""

    interval_s: float = 0.25
    misses: int = 3

    @property
    def patience_s(self) -> float:
        """How long a server may say nothing."""
        return self.interval_s * self.misses

    @cached_property
    def poll_wait_s(self) -> float:
        """How long a region replica that has nothing new to say may keep us waiting."""
        usual = _POLL_WAIT_S * self.patience_s / _USUAL_PATIENCE_S
        return max(_SHORTEST_POLL_WAIT_S, min(_POLL_WAIT_S, usual))

    @cached_property
    def hearing_fresh_s(self) -> float:
        """For how long the last answer of a region replica tells whom it hears."""
        return self.poll_wait_s + max(self.poll_wait_s, self.patience_s)
