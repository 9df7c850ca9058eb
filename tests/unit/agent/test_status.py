"""The status document, read back by the operator's own parser."""

from ipaddress import ip_address, ip_network
from typing import Any

from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.result import CheckResult
from rackrelay.agent.settings import NodeValues
from rackrelay.agent.status import AgentState, build_report, is_complete
from rackrelay.protocol.status_document import PeerObservation, build_status_document, parse_agent_status

WELL = CheckResult(True, running="h1")


def document(state: AgentState) -> dict[str, Any]:
    """What is sent."""
    return build_status_document(build_report(state))


def build_state() -> AgentState:
    """A rack on which all is well."""
    state = AgentState(NodeValues("rack1", "10.0.0.1", "demo-rack-x"), daemons=("named", "nginx"), config_hash="c1")
    state.addresses = (NodeAddress("prov0", "10.10.0.2", 24, carrier=True),)
    state.wanted = {"named": "h1", "nginx": "h1"}
    state.serial = 7
    state.regions_known = state.regions_reachable = 2
    for daemon in state.daemons:
        state.learn(daemon, WELL)
    return state


def test_operator_reads_what_the_agent_writes() -> None:
    found = document(build_state())
    assert (found["node"], found["pod"], found["zone"]) == ("rack1", "demo-rack-x", {"serial": 7})
    status = parse_agent_status(found)
    assert [str(i.address) for i in status.interfaces or ()] == ["10.10.0.2/24"]
    assert not status.failing
    assert (status.regions_reachable, status.regions_known) == (2, 2)
    assert status.config_applied
    assert status.config_hash == "c1"


def test_addresses_that_were_not_read_yet_are_unknown_and_not_none_at_all() -> None:
    state = AgentState(NodeValues("rack1", "10.0.0.1"))
    assert document(state)["addresses"] is None
    state.addresses = ()
    assert document(state)["addresses"] == []


def test_document_is_complete_once_everything_was_asked() -> None:
    state = AgentState(NodeValues("rack1", "10.0.0.1"))
    assert not is_complete(state)
    state.daemons = ("named", "nginx")
    state.learn("named", WELL)
    state.regions_asked, state.addresses = True, ()
    assert not is_complete(state)
    state.learn("nginx", CheckResult(False, "refused"))
    assert is_complete(state)
    state.addresses = None
    assert not is_complete(state)
    state.addresses = ()
    state.regions_asked = False
    assert not is_complete(state)


def test_peers_are_reported_as_the_operator_reads_them() -> None:
    state = build_state()
    state.peers = [("10.10.0.0/24", "10.10.0.3", False)]
    assert parse_agent_status(document(state)).peers == (
        PeerObservation(ip_network("10.10.0.0/24"), ip_address("10.10.0.3"), heard=False),
    )


def test_one_failure_does_not_count_and_two_do() -> None:
    state = build_state()
    state.learn("nginx", CheckResult(False, "refused"))
    assert document(state)["daemons"]["nginx"] == {"ok": True, "message": ""}
    state.learn("nginx", CheckResult(False, "refused"))
    assert document(state)["daemons"]["nginx"] == {"ok": False, "message": "refused"}
    state.learn("nginx", WELL)
    assert document(state)["daemons"]["nginx"]["ok"]


def test_place_counts_by_itself_and_names_its_daemon() -> None:
    state = build_state()
    for place, ok in (("10.10.0.2", True), ("10.10.0.3", True), ("10.10.0.3", False)):
        state.learn("named addresses", CheckResult(True, faults={place: "no answer"}), misses=2)
        assert document(state)["daemons"]["named"]["ok"] == ok
    assert document(state)["daemons"]["named"]["message"] == "10.10.0.3: no answer"
    assert document(state)["daemons"]["nginx"]["ok"]


def test_daemon_that_was_never_well_is_not_well() -> None:
    state = AgentState(NodeValues("rack1", "10.0.0.1"), daemons=("nginx",))
    assert not document(state)["daemons"]["nginx"]["ok"]
    state.learn("nginx", CheckResult(False, "refused"))
    assert document(state)["daemons"]["nginx"] == {"ok": False, "message": "refused"}


def test_configuration_that_a_daemon_does_not_run_yet_is_not_applied() -> None:
    state = build_state()
    state.wanted["nginx"] = "h2"
    assert not document(state)["config"]["applied"]
    state.learn("nginx", CheckResult(True, running="h2"))
    assert document(state)["config"]["applied"]


def test_rejected_or_missing_configuration_is_not_applied() -> None:
    state = build_state()
    state.rejected = {"nginx": "unknown directive"}
    config = document(state)["config"]
    assert (config["applied"], config["rejected"]) == (False, {"nginx": "unknown directive"})
    state.rejected, state.config_hash = {}, ""
    assert not document(state)["config"]["applied"]


def test_zone_that_is_not_served_has_no_serial() -> None:
    state = build_state()
    state.serial = None
    assert document(state)["zone"] is None
