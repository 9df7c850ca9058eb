"""Which racks may be replaced now."""

from ipaddress import ip_network

import pytest

from rackrelay.controllers.rollout import Candidate, choose_next

A, B = ip_network("10.10.0.0/24"), ip_network("10.20.0.0/24")


def rack(node: str, *networks: object, outdated: bool = True, in_trouble: bool = False) -> Candidate:
    return Candidate(node, outdated, in_trouble, frozenset(networks))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("racks", "chosen"),
    [
        pytest.param([rack("r1", A), rack("r2", A)], ["r1"], id="one of a subnet"),
        pytest.param([rack("r1", A), rack("r2", B)], ["r1", "r2"], id="subnets go side by side"),
        pytest.param([rack("r1", A, B), rack("r2", A), rack("r3", B)], ["r1"], id="a rack of two subnets takes both"),
        pytest.param([rack("r1", A, outdated=False, in_trouble=True), rack("r2", A)], [], id="not while one is down"),
        pytest.param([rack("r1", A, outdated=False, in_trouble=True), rack("r2", B)], ["r2"], id="others go on"),
        pytest.param([rack("r1", A, outdated=False), rack("r2", A)], ["r2"], id="the rest of a rollout"),
        pytest.param([rack("r1"), rack("r2")], ["r1", "r2"], id="racks that no machine uses"),
        pytest.param([rack("r1", A, outdated=False)], [], id="nothing to do"),
    ],
)
def test_choose_next(racks: list[Candidate], chosen: list[str]) -> None:
    assert choose_next(racks) == chosen
