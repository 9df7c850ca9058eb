"""What the rivals run."""

import re
from pathlib import Path

import pytest
import yaml

from tests.bench import maas
from tests.bench.zone.configs import Place, maas_on_rack, maas_on_region, ours_on_rack, secondary_on_rack
from tests.bench.zone.visible import kinds

PLACE = Place("rack1", "10.77.0.1", ("10.78.0.2", "10.78.1.2"), ("10.77.0.1",), "maas-internal")


def test_every_setting_of_maas_has_a_source() -> None:
    data = yaml.safe_load((Path(maas.__file__).parent / "dns.yaml").read_text())
    entries = [entry for part in ("region", "rack") for block in data[part].values() for entry in block]
    assert entries
    assert all(entry["source"].startswith("src/") for entry in entries)


def test_a_setting_without_a_source_is_refused() -> None:
    with pytest.raises(ValueError, match="has no source"):
        maas._statements([{"statement": "recursion yes;"}])


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_no_placeholder_is_left(kind: object) -> None:
    for config in (kind.rack, kind.region):  # type: ignore[attr-defined]
        assert not re.search("@[A-Z_]+@", "".join(config(PLACE).values()))


def test_racks_of_maas_hold_no_zone_and_ask_every_region() -> None:
    text = maas_on_rack(PLACE, maas.read_dns())["named.conf"]
    assert "zone" not in text.replace("empty-zones-enable", "")
    assert "forwarders { 10.78.0.2 port 5242; 10.78.1.2 port 5242; };" in text
    assert "type primary;" in maas_on_region(PLACE, maas.read_dns())["named.conf"]


def test_secondaries_copy_from_every_region() -> None:
    assert "primaries { 10.78.0.2 port 5242; 10.78.1.2 port 5242; };" in secondary_on_rack(PLACE)["named.conf"]


def test_ours_stays_in_the_folder_of_its_server() -> None:
    text = "".join(ours_on_rack(PLACE).values())
    assert "type primary;" in text
    assert f'file "{PLACE.folder}/maas-internal.zone"' in text
    assert not re.search(r'"/(?:run|etc)/', text)
