"""Which region something belongs to, and which Subnets count."""

from typing import Any

import pytest

from rackrelay.errors import InvalidSpec, NotReady
from rackrelay.model.reference import (
    belongs_to,
    check_serving,
    duplicates,
    find_older_twin,
    find_overlapping,
    resolve_region,
)
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from tests import gen

NORTH, SOUTH = gen.region("north"), gen.region("south")
LEAVING = gen.region("leaving", meta=gen.meta("leaving", deleting=True))


def test_named_region_is_found() -> None:
    assert resolve_region("south", [NORTH, SOUTH]) is SOUTH


def test_only_region_needs_no_name() -> None:
    assert resolve_region(None, [NORTH]) is NORTH
    assert resolve_region(None, [NORTH, LEAVING]) is NORTH


@pytest.mark.parametrize(
    ("reference", "regions"), [("east", [NORTH]), ("leaving", [LEAVING]), (None, []), (None, [LEAVING])]
)
def test_missing_region_is_waited_for(reference: str | None, regions: list[RegionController]) -> None:
    with pytest.raises(NotReady, match="create"):
        resolve_region(reference, regions)


def test_several_regions_and_no_name_are_ambiguous() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.regionRef\.name.*north, south"):
        resolve_region(None, [NORTH, SOUTH])


def test_belongs_to() -> None:
    assert belongs_to("north", NORTH, [NORTH, SOUTH])
    assert not belongs_to("south", NORTH, [NORTH, SOUTH])
    assert belongs_to(None, NORTH, [NORTH])
    assert not belongs_to(None, NORTH, [NORTH, SOUTH])
    assert not belongs_to("east", NORTH, [NORTH])


def aged(name: str, cidr: str, created: str) -> Subnet:
    return gen.subnet(cidr, name, meta=gen.meta(name, created=created))


def test_older_subnet_of_two_with_one_cidr_counts() -> None:
    young, old = aged("a", "10.10.0.0/24", "2026-01-02T00:00:00Z"), aged("b", "10.10.0.0/24", "2026-01-01T00:00:00Z")
    other = aged("c", "10.10.0.0/16", "2026-01-03T00:00:00Z")
    assert duplicates([young, old, other]) == {young.meta.key: old}
    assert duplicates([young, other]) == {}


def test_name_decides_between_subnets_of_one_second() -> None:
    first, second, third = (aged(name, "10.10.0.0/24", "2026-01-01T00:00:00Z") for name in "abc")
    everything = [third, first, second]
    assert duplicates(everything) == {second.meta.key: first, third.meta.key: first}
    assert [find_older_twin(subnet, everything) for subnet in everything] == [first, None, first]


def test_overlapping_are_equal_ones_and_nested_ones() -> None:
    outer, inner, equal = gen.subnet("10.10.0.0/16"), gen.subnet("10.10.4.0/24"), gen.subnet("10.10.0.0/16", "again")
    everything = [outer, inner, equal, gen.subnet("10.11.0.0/16"), gen.subnet("::/0")]
    assert find_overlapping(outer, everything) == [inner, equal]
    assert find_overlapping(inner, everything) == [outer, equal]
    assert find_overlapping(gen.subnet("fd00::/64"), everything) == [gen.subnet("::/0")]


def test_overlaps_are_found_however_deep_they_lie() -> None:
    cidrs = [
        "10.0.0.0/8",
        "10.10.0.0/16",
        "10.10.0.0/24",
        "10.10.1.0/24",
        "10.11.0.0/16",
        "10.11.255.0/24",
        "0.0.0.0/0",
        "::/0",
        "fd00::/8",
    ]
    everything = [gen.subnet(cidr) for cidr in cidrs]
    for one in everything:
        alike = [o for o in everything if o.cidr.version == one.cidr.version]
        assert find_overlapping(one, everything) == [o for o in alike if o is not one and o.cidr.overlaps(one.cidr)]


def test_subnet_that_is_being_deleted_holds_its_cidr_no_longer() -> None:
    going = gen.subnet("10.10.0.0/24", "a", meta=gen.meta("a", created="2026-01-01T00:00:00Z", deleting=True))
    staying = gen.subnet("10.10.0.0/24", "b", meta=gen.meta("b", created="2026-01-02T00:00:00Z"))
    assert duplicates([going, staying]) == {}
    assert find_older_twin(staying, [going, staying]) is None


def check(serving: Subnet | None, *others: Subnet) -> None:
    """Whether a Subnet can serve one of region north, among others."""
    vlan = gen.subnet("10.30.0.0/24", "vlan", served_by="prov", region="north")
    everything = [vlan, *others, *([serving] if serving else [])]
    older = find_older_twin(serving, everything) if serving else None
    check_serving(vlan, serving, older, [NORTH, SOUTH])


def test_subnet_of_the_same_region_with_racks_can_serve() -> None:
    check(gen.subnet("10.10.0.0/24", "prov", region="north"))


def test_serving_subnet_that_is_missing_or_leaving_is_waited_for() -> None:
    leaving = gen.subnet("10.10.0.0/24", "prov", region="north", meta=gen.meta("prov", deleting=True))
    for serving in (None, leaving):
        with pytest.raises(NotReady, match=r"spec\.servedBy: no Subnet prov .* create it"):
            check(serving)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"region": "south"}, "is not of region north"),
        ({"region": None}, "is not of region north"),
        ({"served_by": "core"}, "has no racks of its own either, name the one that serves it: core"),
    ],
    ids=["of another region", "of no certain region", "relayed itself"],
)
def test_subnet_that_cannot_serve_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSpec, match=rf"spec\.servedBy: .*{words}"):
        check(gen.subnet("10.10.0.0/24", "prov", **{"region": "north", **changes}))


def test_duplicate_cannot_serve() -> None:
    older = gen.subnet("10.10.0.0/24", "first", region="north")
    with pytest.raises(InvalidSpec, match="Subnet prov does not count, name first"):
        check(gen.subnet("10.10.0.0/24", "prov", region="north"), older)
