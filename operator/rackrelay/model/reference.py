"""Which RegionController a RackController or a Subnet belongs to, and which Subnets count."""

from collections.abc import Iterable, Sequence

from rackrelay.addresses import Network
from rackrelay.errors import InvalidSpec, NotReady
from rackrelay.model.meta import Meta
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet


def resolve_region(reference: str | None, regions: Sequence[RegionController]) -> RegionController:
    """The region that a reference names, or the only one of the namespace when there is no reference.

    Raises:
        NotReady: there is no such region yet.
        InvalidSpec: nothing is named and there are several to choose from.
    """
    live = [region for region in regions if not region.meta.deleting]
    if reference is not None:
        for region in live:
            if region.meta.name == reference:
                return region
        raise NotReady(f"spec.regionRef.name: no RegionController {reference} in this namespace; create it")
    if not live:
        raise NotReady("no RegionController in this namespace; create one")
    if len(live) > 1:
        choices = ", ".join(region.meta.name for region in live)
        raise InvalidSpec("spec.regionRef.name", f"several RegionControllers here, name one of: {choices}")
    return live[0]


def belongs_to(reference: str | None, region: RegionController, regions: Sequence[RegionController]) -> bool:
    """Whether a reference resolves to this region."""
    try:
        return resolve_region(reference, regions).meta.key == region.meta.key
    except (NotReady, InvalidSpec):
        return False


def duplicates(subnets: Iterable[Subnet]) -> dict[tuple[str, str], Subnet]:
    """Subnet key -> the older Subnet with the same CIDR, for each Subnet that therefore does not count.

    One that is being deleted holds its CIDR no longer.
    """
    first: dict[Network, Subnet] = {}
    found: dict[tuple[str, str], Subnet] = {}
    for subnet in sorted((s for s in subnets if not s.meta.deleting), key=_age):
        older = first.setdefault(subnet.cidr, subnet)
        if older is not subnet:
            found[subnet.meta.key] = older
    return found


def check_serving(
    subnet: Subnet,
    serving: Subnet | None,
    older: Subnet | None,
    regions: Sequence[RegionController],
) -> None:
    """Whether the racks of another Subnet can serve a relayed one.

    `serving`: the Subnet that it names; `older`: the one that has the same CIDR and counts in its place.

    Raises:
        NotReady: there is no such Subnet yet.
        InvalidSpec: it cannot serve another one.
    """
    if serving is None or serving.meta.deleting:
        raise NotReady(f"spec.servedBy: no Subnet {subnet.served_by} in this namespace; create it or name another")
    if serving.served_by is not None:
        message = f"Subnet {serving.meta.name} has no racks of its own either, name the one that serves it"
        raise InvalidSpec("spec.servedBy", f"{message}: {serving.served_by}")
    if older is not None:
        raise InvalidSpec("spec.servedBy", f"Subnet {serving.meta.name} does not count, name {older.meta.name}")
    region = resolve_region(subnet.region, regions)
    if not belongs_to(serving.region, region, regions):
        message = f"Subnet {serving.meta.name} is not of region {region.meta.name}, to which this one belongs"
        raise InvalidSpec("spec.servedBy", f"{message}; name one of the same region")


def find_older_twin(subnet: Subnet, others: Iterable[Subnet]) -> Subnet | None:
    """The oldest of the others with the same CIDR, if it is older: then this one does not count."""
    twins = [other for other in others if other.cidr == subnet.cidr and not other.meta.deleting]
    oldest = min(twins, key=_age, default=None)
    return oldest if oldest is not None and _age(oldest) < _age(subnet) else None


def find_overlapping(subnet: Subnet, others: Iterable[Subnet]) -> list[Subnet]:
    """Those of the others that share addresses with it: equal ones, and such that lie inside each other."""
    version, first, last = subnet.span
    found = []
    for other in others:
        theirs = other.span
        if theirs[1] <= last and theirs[2] >= first and theirs[0] == version and other.meta.key != subnet.meta.key:
            found.append(other)
    return found


def _age(subnet: Subnet) -> tuple[str, str]:
    meta: Meta = subnet.meta
    return (meta.created, meta.name)
