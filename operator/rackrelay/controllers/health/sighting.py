"""What the operator has seen of one name server and its agent, kept while it runs."""

import math
from dataclasses import dataclass, field

from rackrelay.model.detection import FailureDetection
from rackrelay.nameservers.server import NameServer
from rackrelay.protocol.status_document import AgentStatus
from rackrelay.zone.damping import DampingState
from rackrelay.zone.evidence import Evidence, Judgement, Tier, agent_patience_s, is_whole
from rackrelay.zone.rule import RackView

ServerKey = tuple[str, str]

# Longer than regions need until they can tell.
LISTENING_S = 4.0
# A question this young, in intervals, may still be answered.
YOUNG_FACTOR = 0.5


@dataclass(frozen=True)
class RegionReport:
    """What regions hear of a rack. `heard`: None when none of them can tell; `serial`: what its agent says that its
    named serves, None while named does not answer it."""

    heard: bool | None = None
    serial: int | None = None


NO_REPORT = RegionReport()


@dataclass
class Sighting:
    """One server, of a region by name. Times are monotonic seconds.

    `asked_at`: when the probe was sent that has not been answered; None while none is out. `status_misses`: requests to
    its agent in a row without an answer; `status_problem`: why the last answer could not be read. `heard_at`: when a
    region last said that it hears it. `judgement`: what was acted on last. `view`: what the zone rule was told of it
    last, after what that was made of.
    """

    server: NameServer
    region: str = ""
    detection: FailureDetection = field(default_factory=FailureDetection)
    misses: int = 0
    asked_at: float | None = None
    answered_at: float | None = None
    serial: int | None = None
    behind_since: float | None = None
    status: AgentStatus | None = None
    status_at: float | None = None
    status_misses: int = 0
    status_problem: str = ""
    heard_at: float = -math.inf
    silent_since: float | None = None
    lost_together: bool = False
    damping: DampingState = field(default_factory=DampingState)
    judgement: Judgement | None = None
    view: tuple[object, RackView] | None = None

    @property
    def is_silent(self) -> bool:
        """Whether its DNS has not answered so often in a row that it counts."""
        return self.misses >= self.detection.misses

    @property
    def key(self) -> ServerKey:
        """Namespace and name."""
        return self.server.namespace, self.server.name

    @property
    def region_key(self) -> tuple[str, str]:
        """The region by namespace and name."""
        return self.server.namespace, self.region

    @property
    def lacks_one_miss(self) -> bool:
        """Whether it counts as silent if it does not answer the next probe either."""
        return self.misses == self.detection.misses - 1

    @property
    def answers(self) -> bool:
        """Whether its DNS has answered, lately enough."""
        return self.answered_at is not None and not self.is_silent

    def is_asked(self, heard: bool | None) -> bool:
        """Whether its DNS and its agent have each answered, or have been silent as often as is allowed.

        `heard`: as in Evidence. Regions need a while until they can tell; for one that is silent that is waited for.
        """
        if self.is_silent:
            silence_s = (self.misses - self.detection.misses) * self.detection.interval_s
            return heard is not None or silence_s >= LISTENING_S
        return self.answered_at is not None and (self.status is not None or self.status_misses >= self.detection.misses)

    def count_miss(self, now: float) -> bool:
        """Whether it has missed a probe that was not sent just now; one more counts then."""
        if self.asked_at is None or self.asked_at > now - YOUNG_FACTOR * self.detection.interval_s:
            return False
        self.misses += 1
        self.asked_at = None
        return True

    def is_status_older(self, now: float, age_s: float) -> bool:
        """Whether its agent's status is older than that, or was never seen."""
        return self.status_at is None or now - self.status_at > age_s

    def has_fresh_status(self, now: float) -> bool:
        """Whether its agent's status is one to act on, for as long as `_silent_agent` of the zone rule says."""
        return not self.is_status_older(now, agent_patience_s(self.detection))

    def is_heard(self, now: float) -> bool:
        """Whether a region hears its agent: its status is the one that is known until the region says otherwise."""
        return now - self.heard_at <= self.detection.hearing_fresh_s

    def is_whole(self, now: float) -> bool:
        """Whether it answers and nothing else that was seen speaks against it: as evidence it would be judged healthy.

        So it is with nearly all, a thousand of whom are judged four times a second.
        """
        return self.answers and is_whole(self.behind_since, self.status, self.status_at, now)

    def evidence(
        self, drained: bool, leaving: bool, report: RegionReport = NO_REPORT, node_ready: bool = True
    ) -> Evidence:
        """What the zone rule needs to know. `drained`: a person asked for it; `leaving`: the pod is being deleted."""
        return Evidence(
            misses=self.misses,
            answered_at=self.answered_at,
            behind_since=self.behind_since,
            status=self.status,
            status_at=self.status_at,
            status_problem=self.status_problem,
            heard=report.heard,
            heard_serial=report.serial,
            lost=self.judgement is not None and self.judgement.tier is Tier.UNREACHABLE,
            lost_together=self.lost_together,
            node_ready=node_ready,
            drained=drained,
            leaving=leaving,
        )
