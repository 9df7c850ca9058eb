"""The zone at name servers that rackrelay does not run: publish it there, look after it, and say what is wrong.

Each server has a key of its own in a queue of its own, so that one that is dead holds up neither another nor a rack.
"""

import base64
import binascii
import logging
from collections.abc import Mapping
from typing import Any

from rackrelay import names
from rackrelay.cluster.client import SECRET
from rackrelay.controllers import work
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import ExternalState
from rackrelay.controllers.work import Key
from rackrelay.errors import InvalidSpec
from rackrelay.model import condition
from rackrelay.model.condition import Condition
from rackrelay.model.region import ExternalDNS, RegionController
from rackrelay.nameservers import external as zone_external
from rackrelay.nameservers.external import External, Trouble, Unpublished, edit_external, read_external
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import ALGORITHMS, TsigKey
from rackrelay.render import quoting
from rackrelay.zone.plan import Zone

LOOK_EVERY_S = 5.0
# What was just written is read back, and with it what somebody else wrote at the same time.
READ_BACK_S = 1.0
# A serial says little of the content: now and then all of it is read.
READ_ALL_S = 300.0
MAX_LISTED = 3

SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a secret
SECRET_INVALID = "SecretInvalid"  # noqa: S105
CONTENT_DIFFERS = "ContentDiffers"
# What to do about it, the worst first: what a person has to put right before what may pass by itself.
ADVICE = {
    SECRET_NOT_FOUND: "",
    SECRET_INVALID: "",
    zone_external.KEY_REFUSED: "put the name, algorithm and secret of the server's key into Secret {secret}",
    zone_external.ZONE_MISSING: "add {domain} there as a primary zone",
    zone_external.TRANSFER_REFUSED: "give the key of Secret {secret} allow-transfer there",
    zone_external.UPDATE_REFUSED: (
        "it has to be a primary of {domain}, give the key of Secret {secret} allow-update, and may write its zone files"
    ),
    zone_external.UNREACHABLE: "check the server and the way to it, over UDP and TCP",
    CONTENT_DIFFERS: "names of subnets are rackrelay's, and of one region alone",
    zone_external.CHANGING: "",
}
SECRET_REASONS = (SECRET_NOT_FOUND, SECRET_INVALID)

logger = logging.getLogger(__name__)


def external_keys(region: RegionController) -> list[Key]:
    """What to reconcile so that the region's external name servers have its zone."""
    external = region.external_dns
    return [Key(work.EXTERNAL, *region.meta.key, address) for address in external.primaries] if external else []


async def reconcile_external(context: Context, region: RegionController, key: Key) -> None:
    """Look at one server, bring it to the zone, and look again after a while."""
    external, state = region.external_dns, context.regions[region.meta.key].zone
    if external is None or key.server not in external.primaries:
        context.regions[region.meta.key].external.pop(key.server, None)
        return
    if state is None:
        # Half a picture would take racks out of service there too; the zone enqueues this once it is decided.
        return
    seen = context.regions[region.meta.key].external
    before = seen.get(key.server)
    server = NameServer(region.meta.namespace, key.server, key.server, external.port)
    after = await _look(context, external, server, (before or ExternalState(), state.zone))
    seen[key.server] = after
    if before is None or before.trouble != after.trouble:
        if after.trouble is not None:
            logger.warning("zone %s: %s: %s", region.domain, key.server, after.trouble.words)
        context.queue.add(Key(work.REGION, *region.meta.key))
    just_written = after.trouble is None and after.reading is None
    context.queue.add_later(key, READ_BACK_S if just_written else LOOK_EVERY_S)


async def _look(
    context: Context, external: ExternalDNS, server: NameServer, past: tuple[ExternalState, Zone]
) -> ExternalState:
    """What is seen of a server after it was brought to the zone; `past` is what was seen before, and the zone."""
    before, zone = past
    known = before.reading if context.now() - before.read_at < READ_ALL_S else None
    try:
        place = External(server, zone.domain, await read_key(context, server.namespace, external))
        reading = await read_external(place, known)
        edited = await edit_external(place, reading, zone, context.client.fence)
    except Unpublished as error:
        return ExternalState(error.trouble)
    if edited and before.digest == zone.digest:
        more = f" and {len(edited) - MAX_LISTED} more" if len(edited) > MAX_LISTED else ""
        words = f"had other records of {', '.join(edited[:MAX_LISTED])}{more}, which were put right"
        return ExternalState(Trouble(CONTENT_DIFFERS, words), digest=zone.digest)
    if edited:
        return ExternalState(digest=zone.digest)
    return ExternalState(None, reading, before.read_at if reading is known else context.now(), zone.digest)


async def read_key(context: Context, namespace: str, external: ExternalDNS) -> TsigKey:
    """The TSIG key that the servers accept, read anew each time: a corrected Secret counts at once.

    Raises:
        Unpublished: there is no such Secret, or it does not hold a key.
    """
    name = external.tsig_secret
    live = await context.client.get(SECRET, namespace, name)
    if live is None:
        words = f"Secret {name} of spec.external.dns.tsigSecretRef does not exist in namespace {namespace}: create it"
        raise Unpublished(
            SECRET_NOT_FOUND, f"{words} with the keys name, algorithm and secret of the server's TSIG key"
        )
    try:
        return parse_key(live.get("data", {}))
    except InvalidSpec as error:
        raise Unpublished(SECRET_INVALID, f"Secret {name}: {error}") from error


def parse_key(data: Mapping[str, Any]) -> TsigKey:
    """The TSIG key in a Secret's data; without an algorithm it is HMAC-SHA256.

    Raises:
        InvalidSpec: it is not complete, or not a key; the message holds nothing of the secret.
    """
    fields = {field: _text(field, data[field]) for field in _FIELDS if data.get(field)}
    for field in (names.KEY_TSIG_NAME, names.KEY_TSIG_SECRET):
        if not fields.get(field):
            raise InvalidSpec(field, "is missing; it holds the " + _FIELDS[field])
    algorithm = fields.get(names.KEY_TSIG_ALGORITHM, ALGORITHMS[0]).lower().removesuffix(".")
    if algorithm not in ALGORITHMS:
        raise InvalidSpec(names.KEY_TSIG_ALGORITHM, "is none of " + ", ".join(sorted(ALGORITHMS)))
    try:
        base64.b64decode(fields[names.KEY_TSIG_SECRET], validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSpec(names.KEY_TSIG_SECRET, "is not the base64 text that stands in the server's key") from error
    try:
        name = quoting.domain_name(names.KEY_TSIG_NAME, fields[names.KEY_TSIG_NAME])
    except InvalidSpec as error:
        # Whose words would show what may be the secret, in the wrong place.
        raise InvalidSpec(names.KEY_TSIG_NAME, "is not a key's name, which has the form of a domain name") from error
    return TsigKey(name, fields[names.KEY_TSIG_SECRET], algorithm)


_FIELDS = {
    names.KEY_TSIG_NAME: "name of the key as the server spells it",
    names.KEY_TSIG_ALGORITHM: "algorithm, such as hmac-sha256",
    names.KEY_TSIG_SECRET: "secret of the key, base64 text as in the server's configuration",
}


def _text(field: str, encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode("ascii").strip()
    except ValueError as error:
        raise InvalidSpec(field, "is not text") from error


def is_looked_at(context: Context, region: RegionController) -> bool:
    """Whether each external server has been looked at since this operator leads."""
    return all(key.server in context.regions[region.meta.key].external for key in external_keys(region))


def secret_trouble(context: Context, region: RegionController) -> Trouble | None:
    """What is wrong with the Secret that the region names, if that has shown."""
    troubles = (trouble for trouble in _troubles(context, region).values() if trouble is not None)
    return next((trouble for trouble in troubles if trouble.reason in SECRET_REASONS), None)


def external_condition(context: Context, region: RegionController) -> Condition | None:
    """ExternalDNSPublished; None without external name servers, or before each has been looked at."""
    external = region.external_dns
    if external is None or not is_looked_at(context, region):
        return None
    kind = condition.EXTERNAL_DNS_PUBLISHED
    seen = _troubles(context, region)
    troubles = {address: trouble for address, trouble in seen.items() if trouble is not None}
    if not troubles:
        return Condition(kind, True, "Published", f"the zone is published at {', '.join(seen)}")
    worst = min((trouble.reason for trouble in troubles.values()), key=list(ADVICE).index)
    if worst in SECRET_REASONS:
        message = next(trouble.words for trouble in troubles.values() if trouble.reason == worst)
    else:
        message = "; ".join(f"{address} {trouble.words}" for address, trouble in troubles.items())
    advice = ADVICE[worst].format(secret=external.tsig_secret, domain=region.domain)
    return Condition(kind, False, worst, f"{message}; {advice}" if advice else message, alarming=True)


def _troubles(context: Context, region: RegionController) -> dict[str, Trouble | None]:
    """Address -> what is wrong there, for those that have been looked at, in the order of the spec."""
    seen = context.regions[region.meta.key].external
    return {key.server: seen[key.server].trouble for key in external_keys(region) if key.server in seen}
