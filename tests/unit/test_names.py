"""Names that other parts, and MAAS's own tools, rely on."""

from ipaddress import ip_network

import pytest

from rackrelay import names


@pytest.mark.parametrize(
    ("cidr", "label"),
    [
        ("10.10.0.0/24", "10-10-0-0--24"),
        ("192.168.100.0/22", "192-168-100-0--22"),
        ("2001:db8::/64", "2001-db8----64"),
        ("fd00:10::/64", "fd00-10----64"),
        ("10.0.0.1/32", "10-0-0-1--32"),
    ],
)
def test_label_of_a_subnet_has_the_form_of_maas(cidr: str, label: str) -> None:
    network = ip_network(cidr)
    assert names.subnet_label(network) == label
    assert names.subnet_dns_name(network, "maas-internal") == f"{label}.maas-internal"
    assert len(label) <= 63
    assert names.is_subnet_label(label)
    assert names.is_subnet_label(label.upper())


@pytest.mark.parametrize(
    "label",
    ["", "@", "printer", "10-10-0-0", "10-10-0-7--24", "10-10-0-0--024", "10-10-0-0--33", "a--b", "--24", "*",
     "2001-0db8----64", "2001-db8---64", "10-10-0-0--24-x"],
)  # fmt: skip
def test_label_that_no_subnet_has(label: str) -> None:
    assert not names.is_subnet_label(label)


def test_objects_of_a_region_and_its_racks_do_not_collide() -> None:
    """Region and RackController may have the same name."""
    found = [
        names.region_workload("demo"),
        names.region_replica("demo", 0),
        names.rack_workload("demo"),
        names.zone_config("demo"),
        names.tsig_secret("demo"),
        names.keys_secret("demo"),
        names.agent_secret("demo"),
    ]
    assert len(set(found)) == len(found)
    assert names.region_config("demo") == names.region_workload("demo")


def test_keys_of_two_regions_and_two_rotations_differ() -> None:
    assert names.tsig_key("machines", "demo") == "1.demo.machines.rackrelay"
    keys = {names.tsig_key("a", "b"), names.tsig_key("b", "a"), names.tsig_key("a", "b", 2)}
    assert len(keys) == 3


def test_longest_allowed_name_still_fits_into_a_label() -> None:
    name = "n" * 40
    assert len(names.region_replica(name, 8)) <= 63
