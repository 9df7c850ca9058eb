"""The status document, read back by the operator's own parser."""

from ipaddress import ip_address, ip_network

from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.daemons import Finding
from rackrelay.agent.settings import NodeValues
from rackrelay.agent.status import Knowledge, build_document, is_complete
from rackrelay.model.observed import PeerSight, parse_agent_status

WELL = Finding(True, running="h1")


def build_knowledge() -> Knowledge:
    """A rack on which all is well."""
    known = Knowledge(NodeValues("rack1", "10.0.0.1", "demo-rack-x"), daemons=("named", "nginx"), config_hash="c1")
    known.addresses = (NodeAddress("prov0", "10.10.0.2", 24, carrier=True),)
    known.wanted = {"named": "h1", "nginx": "h1"}
    known.serial = 7
    known.regions_known = known.regions_reachable = 2
    for daemon in known.daemons:
        known.learn(daemon, WELL)
    return known


def test_operator_reads_what_the_agent_writes() -> None:
    document = build_document(build_knowledge())
    assert (document["node"], document["pod"], document["zone"]) == ("rack1", "demo-rack-x", {"serial": 7})
    status = parse_agent_status(document)
    assert [str(i.address) for i in status.interfaces or ()] == ["10.10.0.2/24"]
    assert not status.failing
    assert (status.regions_reachable, status.regions_known) == (2, 2)
    assert status.config_applied
    assert status.config_hash == "c1"


def test_addresses_that_were_not_read_yet_are_unknown_and_not_none_at_all() -> None:
    known = Knowledge(NodeValues("rack1", "10.0.0.1"))
    assert build_document(known)["addresses"] is None
    known.addresses = ()
    assert build_document(known)["addresses"] == []


def test_document_is_complete_once_everything_was_asked() -> None:
    known = Knowledge(NodeValues("rack1", "10.0.0.1"))
    assert not is_complete(known)
    known.daemons = ("named", "nginx")
    known.learn("named", WELL)
    known.regions_asked, known.addresses = True, ()
    assert not is_complete(known)
    known.learn("nginx", Finding(False, "refused"))
    assert is_complete(known)
    known.addresses = None
    assert not is_complete(known)
    known.addresses = ()
    known.regions_asked = False
    assert not is_complete(known)


def test_peers_are_reported_as_the_operator_reads_them() -> None:
    known = build_knowledge()
    known.peers = [{"subnet": "10.10.0.0/24", "address": "10.10.0.3", "heard": False}]
    assert parse_agent_status(build_document(known)).peers == (
        PeerSight(ip_network("10.10.0.0/24"), ip_address("10.10.0.3"), heard=False),
    )


def test_one_failure_does_not_count_and_two_do() -> None:
    known = build_knowledge()
    known.learn("nginx", Finding(False, "refused"))
    assert build_document(known)["daemons"]["nginx"] == {"ok": True, "message": ""}
    known.learn("nginx", Finding(False, "refused"))
    assert build_document(known)["daemons"]["nginx"] == {"ok": False, "message": "refused"}
    known.learn("nginx", WELL)
    assert build_document(known)["daemons"]["nginx"]["ok"]


def test_place_counts_by_itself_and_names_its_daemon() -> None:
    known = build_knowledge()
    for place, ok in (("10.10.0.2", True), ("10.10.0.3", True), ("10.10.0.3", False)):
        known.learn("named addresses", Finding(True, faults={place: "no answer"}), misses=2)
        assert build_document(known)["daemons"]["named"]["ok"] == ok
    assert build_document(known)["daemons"]["named"]["message"] == "10.10.0.3: no answer"
    assert build_document(known)["daemons"]["nginx"]["ok"]


def test_daemon_that_was_never_well_is_not_well() -> None:
    known = Knowledge(NodeValues("rack1", "10.0.0.1"), daemons=("nginx",))
    assert not build_document(known)["daemons"]["nginx"]["ok"]
    known.learn("nginx", Finding(False, "refused"))
    assert build_document(known)["daemons"]["nginx"] == {"ok": False, "message": "refused"}


def test_configuration_that_a_daemon_does_not_run_yet_is_not_applied() -> None:
    known = build_knowledge()
    known.wanted["nginx"] = "h2"
    assert not build_document(known)["config"]["applied"]
    known.learn("nginx", Finding(True, running="h2"))
    assert build_document(known)["config"]["applied"]


def test_rejected_or_missing_configuration_is_not_applied() -> None:
    known = build_knowledge()
    known.rejected = {"nginx": "unknown directive"}
    config = build_document(known)["config"]
    assert (config["applied"], config["rejected"]) == (False, {"nginx": "unknown directive"})
    known.rejected, known.config_hash = {}, ""
    assert not build_document(known)["config"]["applied"]


def test_zone_that_is_not_served_has_no_serial() -> None:
    known = build_knowledge()
    known.serial = None
    assert build_document(known)["zone"] is None
