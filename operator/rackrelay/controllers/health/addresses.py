"""Which addresses each rack has, as far as is known, and who came to have one first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from rackrelay.addresses import Address
from rackrelay.controllers.health.sighting import ServerKey
from rackrelay.model.rack import RackController


@dataclass
class AddressBook:
    """Addresses by (namespace, node)."""

    _addresses: dict[ServerKey, tuple[Address, ...]] = field(default_factory=dict)
    _cables: dict[ServerKey, tuple[tuple[Address, ...], ...]] = field(default_factory=dict)
    _claims: dict[ServerKey, dict[Address, int]] = field(default_factory=dict)
    _next_claim: Iterator[int] = field(default_factory=lambda: count(1))

    def find(self, rack: ServerKey) -> tuple[Address, ...]:
        """Those that a rack has or had last."""
        return self._addresses.get(rack, ())

    def cables(self, rack: ServerKey) -> tuple[tuple[Address, ...], ...]:
        """The addresses of each interface of a rack that has some of both families."""
        return self._cables.get(rack, ())

    def claims(self, rack: ServerKey) -> Mapping[Address, int]:
        """Address -> its place in the order in which all racks came to have theirs, or were seen to."""
        return self._claims.get(rack, {})

    def remember(self, rack: ServerKey, addresses: Iterable[Address]) -> None:
        """A rack had these besides those that are known."""
        self.learn(rack, tuple(dict.fromkeys((*self.find(rack), *addresses))))

    def learn(
        self, rack: ServerKey, addresses: tuple[Address, ...], cables: tuple[tuple[Address, ...], ...] = ()
    ) -> None:
        """A rack has these and no others. What it gave up and takes again is claimed anew."""
        self._cables[rack] = cables
        if self._addresses.get(rack) == addresses:
            return
        before = self._claims.get(rack, {})
        self._addresses[rack] = addresses
        self._claims[rack] = {a: before[a] if a in before else next(self._next_claim) for a in addresses}


def counts(address: Address, rack: RackController) -> bool:
    """Whether `spec.addresses` lets an address of a node count."""
    included = [n for n in rack.include if n.version == address.version]
    if rack.include and not any(address in network for network in included):
        return False
    return not any(address in n for n in rack.exclude if n.version == address.version)
