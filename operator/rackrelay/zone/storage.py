"""The zone as its ConfigMap keeps it: as text that people can read, or packed once it is long. Pure."""

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rackrelay import names
from rackrelay.errors import InvalidSpec, TooLarge
from rackrelay.protocol.packing import pack, unpack
from rackrelay.zone.plan import Zone, parse_zone_text, zone_text

PACK_ABOVE_BYTES = 256 * 2**10
# The API server refuses ConfigMaps whose values are longer together; the serial needs a few bytes.
MAX_PACKED_BYTES = 2**20 - 64


def zone_fields(zone: Zone) -> dict[str, dict[str, str]]:
    """The `data` of the ConfigMap, with its `binaryData` when the zone is long.

    Raises:
        TooLarge: no ConfigMap can hold it.
    """
    text = zone_text(zone)
    data = {names.KEY_ZONE_SERIAL: str(zone.serial), names.KEY_ZONE_TEXT: text}
    if len(text) <= PACK_ABOVE_BYTES:
        return {"data": data}
    packed = pack(text)
    if len(packed) > MAX_PACKED_BYTES:
        raise TooLarge(
            f"{len(zone.rrsets)} names need {len(packed)} bytes and a ConfigMap holds {MAX_PACKED_BYTES}; "
            "divide the Subnets among several regions"
        )
    # The text is emptied, not left out: the API server would keep one that a create has written.
    encoded = {names.KEY_ZONE_PACKED: base64.b64encode(packed).decode()}
    return {"data": {**data, names.KEY_ZONE_TEXT: ""}, "binaryData": encoded}


def read_zone(config: Mapping[str, Any], domain: str) -> Zone:
    """The Zone that a ConfigMap keeps. Callers must not change it: equal ConfigMaps give the same one.

    Raises:
        InvalidSpec: it is not what `zone_fields` made; somebody changed it by hand.
    """
    text = config.get("data", {}).get(names.KEY_ZONE_TEXT, "")
    packed = "" if text else config.get("binaryData", {}).get(names.KEY_ZONE_PACKED, "")
    return _parse(text, packed, domain)


# Each reconcile reads the zone, which hardly ever is another one.
@lru_cache(maxsize=8)
def _parse(text: str, packed: str, domain: str) -> Zone:
    if packed:
        try:
            text = unpack(base64.b64decode(packed, validate=True))
        except ValueError as error:
            raise InvalidSpec(f"binaryData.{names.KEY_ZONE_PACKED}", str(error)) from error
    return parse_zone_text(text, domain)
