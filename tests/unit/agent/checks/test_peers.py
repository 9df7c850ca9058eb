"""Who of the other racks is asked, and who is heard, by an invented clock."""

from ipaddress import ip_network

from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.peers import UNLISTED_LIMIT, Peer, PeerTable, choose_sources

NET = ip_network("10.10.0.0/24")


def test_peer_of_whom_nothing_is_known_is_left_out() -> None:
    table = PeerTable()
    table.follow(NET, ["10.10.0.3"], 0.0)
    assert table.observations() == []


def test_answer_makes_it_heard_and_three_misses_unheard() -> None:
    peer = Peer("10.10.0.3", 0.0)
    peer.ask(1, 3)
    peer.answer(1)
    assert peer.heard is True
    for query_id in (2, 3, 4):
        peer.ask(query_id, 3)
        assert peer.heard is True
    peer.ask(5, 3)
    assert peer.heard is False
    peer.answer(5)
    assert (peer.heard, peer.misses) == (True, 0)


def test_as_many_misses_count_as_the_configuration_says() -> None:
    peer = Peer("10.10.0.3", 0.0)
    heard = []
    for query_id in range(1, 6):
        peer.ask(query_id, 5 if query_id < 5 else 2)
        heard.append(peer.heard)
    assert heard == [None, None, None, None, False]


def test_answer_to_an_earlier_question_does_not_count() -> None:
    peer = Peer("10.10.0.3", 0.0)
    for query_id in (1, 2, 3, 4):
        peer.ask(query_id, 3)
    peer.answer(3)
    assert peer.heard is False


def test_peer_that_left_the_zone_is_asked_for_another_minute() -> None:
    table = PeerTable()
    table.follow(NET, ["10.10.0.3", "10.10.0.4"], 0.0)
    table.follow(NET, ["10.10.0.4"], 59.0)
    assert sorted(table.subnets[NET]) == ["10.10.0.3", "10.10.0.4"]
    table.follow(NET, ["10.10.0.4"], 61.0)
    assert sorted(table.subnets[NET]) == ["10.10.0.4"]


def test_peer_that_is_not_heard_is_asked_until_it_is() -> None:
    table = PeerTable()
    table.follow(NET, ["10.10.0.3"], 0.0)
    for query_id in (1, 2):
        table.subnets[NET]["10.10.0.3"].ask(query_id, 1)
    table.follow(NET, [], 3600.0)
    assert [(address, heard) for _, address, heard in table.observations()] == [("10.10.0.3", False)]
    table.subnets[NET]["10.10.0.3"].answer(2)
    table.follow(NET, [], 3601.0)
    assert table.observations() == []


def test_of_many_that_are_not_heard_those_are_kept_that_left_last() -> None:
    table = PeerTable()
    for number in range(UNLISTED_LIMIT + 10):
        address = f"10.10.0.{number + 1}"
        table.follow(NET, [address], float(number))
        table.subnets[NET][address].heard = False
    table.follow(NET, [], 3600.0)
    assert len(table.subnets[NET]) == UNLISTED_LIMIT
    assert "10.10.0.10" not in table.subnets[NET]
    assert "10.10.0.11" in table.subnets[NET]


def test_document_is_sorted_as_numbers_are() -> None:
    table, six = PeerTable(), ip_network("fd00::/64")
    table.follow(six, ["fd00::2"], 0.0)
    table.follow(NET, ["10.10.0.10", "10.10.0.9"], 0.0)
    for peers in table.subnets.values():
        for peer in peers.values():
            peer.ask(1, 3)
            peer.answer(1)
    assert [address for _, address, _ in table.observations()] == ["10.10.0.9", "10.10.0.10", "fd00::2"]
    assert table.observations()[0] == ("10.10.0.0/24", "10.10.0.9", True)
    table.keep([six])
    assert [address for _, address, _ in table.observations()] == ["fd00::2"]


def test_source_is_the_first_address_in_the_longest_prefix() -> None:
    inner = ip_network("10.10.0.128/25")
    first = NodeAddress("prov0", "10.10.0.2", 24, carrier=True)
    second = NodeAddress("prov0", "10.10.0.9", 24, carrier=True)
    nested = NodeAddress("prov0", "10.10.0.200", 25, carrier=True)
    other = NodeAddress("fab0", "192.168.0.2", 24, carrier=True)
    assert choose_sources((first, second, nested, other), [NET, inner]) == {NET: first, inner: nested}


def test_peers_are_asked_at_the_regions_pace_and_less_often_in_a_crowd() -> None:
    table = PeerTable()
    assert table.interval_s(0.25) == 0.25
    table.follow(NET, [f"10.10.0.{host}" for host in range(1, 40)], 0.0)
    assert table.interval_s(0.25) == 0.25
    table.follow(ip_network("10.20.0.0/24"), [f"10.20.0.{host}" for host in range(1, 122)], 0.0)
    assert table.interval_s(0.25) == 1.0
    assert table.interval_s(5.0) == 5.0
