"""Single addresses of a region's racks that machines cannot reach, though the racks are well."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rackrelay.addresses import Address
from rackrelay.zone import links
from rackrelay.zone.damping import DampingState
from rackrelay.zone.peers import PeerObservations, cut_off_addresses
from rackrelay.zone.rule import NO_FAULTS, Faults, RackView

# What an agent said grows old without news.
LOOK_EVERY_S = 1.0


@dataclass
class LinkHealth:
    """The links of one region's racks. `faults`: what to act on now. `has_news`: a status has come since."""

    faults: Faults = field(default_factory=lambda: NO_FAULTS)
    has_news: bool = True
    _pasts: Mapping[Address, DampingState] = field(default_factory=dict)
    _looked_at: float = -math.inf

    def is_due(self, now: float) -> bool:
        """Whether to look again: there is news, a fault has to be timed, or it is long ago."""
        return self.has_news or bool(self._pasts) or now - self._looked_at >= LOOK_EVERY_S

    def look(self, views: Sequence[RackView], observations: PeerObservations, now: float) -> bool:
        """Whether what to act on is another than before."""
        self.has_news, self._looked_at = False, now
        cut_off = cut_off_addresses(observations, {view.name: view.addresses for view in views})
        found = links.find_faults([a for view in views for a in view.unplugged], cut_off)
        self._pasts = links.record_links(self._pasts, found, now)
        before, self.faults = self.faults, links.damp_faults(self._pasts, found, now)
        return self.faults != before
