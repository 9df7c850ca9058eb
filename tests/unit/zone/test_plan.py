"""Versions of the zone: as text, and as the difference between two."""

import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackrelay.addresses import Address, sort_addresses
from rackrelay.errors import Conflict, InvalidSpec
from rackrelay.zone.plan import MAX_SERIAL, Zone, next_serial, parse_zone_text, plan_change, zone_text
from tests import gen

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
v4 = st.lists(st.ip_addresses(v=4), min_size=1, max_size=5, unique=True)
v6 = st.lists(st.ip_addresses(v=6), min_size=1, max_size=5, unique=True)


def as_text(addresses: Iterable[Address]) -> tuple[str, ...]:
    return tuple(str(a) for a in sort_addresses(map(str, addresses)))


rrset_maps = st.one_of(
    st.dictionaries(st.tuples(labels, st.just("A")), v4.map(as_text), max_size=5),
    st.dictionaries(st.tuples(labels, st.just("AAAA")), v6.map(as_text), max_size=5),
)


@given(rrset_maps, st.integers(1, MAX_SERIAL), st.integers(1, 3600))
def test_text_and_back(rrsets: dict[tuple[str, str], tuple[str, ...]], serial: int, ttl_s: int) -> None:
    zone = Zone(gen.DOMAIN, ttl_s, serial, rrsets)
    assert parse_zone_text(zone_text(zone), gen.DOMAIN) == zone


def test_text_is_a_master_file_with_absolute_names() -> None:
    zone = gen.zone(7, 15, b=("fd00::2",), a=("10.10.0.2", "10.10.0.3"))
    assert zone_text(zone).splitlines() == [
        "maas-internal. 15 IN SOA localhost. hostmaster.maas-internal. 7 3600 600 604800 1",
        "maas-internal. 15 IN NS localhost.",
        "a.maas-internal. 15 IN A 10.10.0.2",
        "a.maas-internal. 15 IN A 10.10.0.3",
        "b.maas-internal. 15 IN AAAA fd00::2",
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("not a zone\n", id="no zone"),
        pytest.param("maas-internal. 15 IN NS localhost.\n", id="no SOA"),
        pytest.param(zone_text(gen.zone(1)).replace("maas-internal", "other"), id="another zone"),
        pytest.param(zone_text(gen.zone(1)) + "a.maas-internal. 15 IN A 10.10.0.256\n", id="bad address"),
    ],
)
def test_text_that_somebody_damaged_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match=r"data\.zone: not the zone maas-internal"):
        parse_zone_text(text, gen.DOMAIN)


def test_digest_is_of_the_content_alone() -> None:
    zone = gen.zone(1, 15, a=("10.10.0.2",))
    assert gen.zone(2, 15, a=("10.10.0.2",)).digest == zone.digest
    assert gen.zone(1, 15, a=("10.10.0.3",)).digest != zone.digest
    assert gen.zone(1, 30, a=("10.10.0.2",)).digest != zone.digest


def test_change_holds_what_differs() -> None:
    old = gen.zone(1, 15, stays=("10.0.0.1",), changes=("10.0.0.2",), goes=("10.0.0.3",))
    new = gen.zone(2, 15, stays=("10.0.0.1",), changes=("10.0.0.2", "10.0.0.4"), comes=("fd00::1",))
    change = plan_change(old, new)
    assert change.rrsets == {
        ("changes", "A"): ("10.0.0.2", "10.0.0.4"),
        ("comes", "AAAA"): ("fd00::1",),
        ("goes", "A"): (),
    }
    assert (change.old, change.new) == (old, new)


def test_another_ttl_touches_every_name() -> None:
    old, new = gen.zone(1, 15, a=("10.0.0.1",), b=("10.0.0.2",)), gen.zone(2, 30, a=("10.0.0.1",), b=("10.0.0.2",))
    assert plan_change(old, new).rrsets == {("a", "A"): ("10.0.0.1",), ("b", "A"): ("10.0.0.2",)}


def test_change_may_be_of_the_serial_alone() -> None:
    assert plan_change(gen.zone(1, a=("10.0.0.1",)), gen.zone(5, a=("10.0.0.1",))).rrsets == {}


@pytest.mark.parametrize("serial", [4, 5])
def test_serial_that_does_not_grow_is_refused(serial: int) -> None:
    with pytest.raises(Conflict, match=f"serial {serial} does not follow 5"):
        plan_change(gen.zone(5), gen.zone(serial, a=("10.0.0.1",)))


@pytest.mark.parametrize(("seen", "expected"), [((), 1), ((0,), 1), ((3, 9, 4), 10), ((MAX_SERIAL - 1,), MAX_SERIAL)])
def test_next_serial_is_greater_than_every_one_seen(seen: tuple[int, ...], expected: int) -> None:
    assert next_serial(*seen) == expected


def test_serials_run_out_in_words() -> None:
    with pytest.raises(InvalidSpec, match=r"another spec\.domain"):
        next_serial(MAX_SERIAL)


TEXT = zone_text(gen.zone(1, 15, a=("10.10.0.2", "10.10.0.3"), b=("fd00::2",)))


def test_five_thousand_names_are_read_in_a_moment() -> None:
    rrsets = {(f"n{i}", "A"): tuple(f"10.{i // 250}.{i % 250}.{r}" for r in (1, 2, 3)) for i in range(5000)}
    zone = Zone(gen.DOMAIN, 15, 7, rrsets)
    text = zone_text(zone)
    began = time.process_time()
    assert parse_zone_text(text, gen.DOMAIN) == zone
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("more", "foreign"),
    [
        pytest.param("x.maas-internal. 15 IN TXT hello\n", {("x", "TXT")}, id="another type"),
        pytest.param("x.maas-internal. 15 IN CNAME a.maas-internal.\n", {("x", "CNAME")}, id="an alias"),
        pytest.param("*.maas-internal. 15 IN MX 5 mail.\n", {("*", "MX")}, id="any name"),
        pytest.param("x.maas-internal. 60 IN A 10.9.9.9\n", {("x", "A")}, id="another TTL"),
        pytest.param("maas-internal. 15 IN TXT hello\n", {("@", "TXT")}, id="at the top"),
    ],
)
def test_what_we_never_make_differs_and_is_removed(more: str, foreign: set[tuple[str, str]]) -> None:
    changed = parse_zone_text(TEXT + more, gen.DOMAIN)
    assert changed.foreign == foreign
    assert changed != parse_zone_text(TEXT, gen.DOMAIN)
    wanted = gen.zone(2, 15, a=("10.10.0.2", "10.10.0.3"), b=("fd00::2",))
    assert plan_change(changed, wanted).rrsets == dict.fromkeys(foreign, ())


def test_own_name_with_another_ttl_is_set_again() -> None:
    changed = parse_zone_text(TEXT.replace("b.maas-internal. 15", "b.maas-internal. 16"), gen.DOMAIN)
    wanted = gen.zone(2, 15, a=("10.10.0.2", "10.10.0.3"), b=("fd00::2",))
    assert plan_change(changed, wanted).rrsets == {("b", "AAAA"): ("fd00::2",)}


def test_what_goes_comes_first() -> None:
    """BIND leaves an address away that is added to a name while that has an alias."""
    old = Zone(gen.DOMAIN, 15, 1, {("z", "A"): ("10.0.0.1",)}, foreign=frozenset({("a", "CNAME")}))
    new = Zone(gen.DOMAIN, 15, 2, {("a", "A"): ("10.0.0.1",)})
    assert list(plan_change(old, new).rrsets) == [("a", "CNAME"), ("z", "A"), ("a", "A")]


def test_next_serial_leaves_room_for_parts() -> None:
    assert next_serial(4, 9, step=3) == 12
    with pytest.raises(InvalidSpec, match="run out"):
        next_serial(MAX_SERIAL - 2, step=3)
