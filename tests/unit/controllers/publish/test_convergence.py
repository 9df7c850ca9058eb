"""Whatever is seen in whatever order, and whenever the zone is decided: a round later it is as it should be.

A zone is decided when something asks for it, at any moment. Whatever it was decided by and is no longer so has to ask
for it again, or a rack would stay out of its name for good.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from rackrelay.controllers.publish.zone import choose_version
from rackrelay.controllers.state.region_state import ZoneState
from rackrelay.zone.plan import Zone
from tests import gen
from tests.unit.controllers.publish.history import RACKS, History


class Convergence(History):
    """An operator that decides when its queue says so, and at other times as well. `zone`: what it published last."""

    def __init__(self) -> None:
        super().__init__()
        self.zone = Zone(gen.DOMAIN, 15, 0, {})
        self.decide()
        self.recover()

    @rule(recovers=st.booleans())
    def look_in(self, recovers: bool) -> None:
        """The zone is asked for by something else, maybe just while something is wrong that nobody sees again."""
        self.decide()
        if recovers:
            self.recover()

    def decide(self) -> None:
        """As a zone is reconciled: every server in reach is brought to what is decided."""
        decision = self.decide_names()
        self.zone = choose_version(self.region, decision.rrsets, self.zone, [self.served])
        self.served = self.zone.serial
        self.site.regions[self.region.meta.key].zone = ZoneState(self.zone, decision.answers, {})
        for server in self.site.inventory.servers_of(self.region):
            if self.site.health.serial(server) is not None:
                self.site.health.updated(server, self.served)

    def take_over(self) -> None:
        """All is enqueued when a term begins."""
        super().take_over()
        self.decide()

    @rule()
    def recover(self) -> None:
        """Nothing stays wrong for long, or there would be little to converge to."""
        for number, rack in enumerate(RACKS, start=2):
            self.answer(rack, old=False)
            self.report(rack, [(f"10.10.0.{number}/24", True)], {})
        self.round()

    @rule()
    def round(self) -> None:
        """All that is seen stays so for a round."""
        self.look()
        if self.queue.take_zones():
            self.decide()
        assert self.zone.rrsets == self.decide_names().rrsets


TestConvergence = Convergence.TestCase
TestConvergence.settings = settings(max_examples=500, stateful_step_count=30, deadline=None)


def test_rack_that_lagged_for_a_moment_between_two_rounds_stays() -> None:
    """A region heard that it lags; the operator reaches it again, and repairs it, before anybody looks at its tier."""
    site = Convergence()
    whole = site.zone.rrsets
    servers = [site.site.sighting("rack1").server]
    site.site.health.answered(servers[0], site.served - 1, site.site.clock)
    site.site.health.note_lag(servers, site.served, site.site.clock - 2)
    site.decide()
    for _ in range(4):
        site.wait(2.5)
        site.recover()
    assert site.zone.rrsets == whole
