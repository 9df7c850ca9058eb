"""How the machines of a subnet spread over its racks when each connects to the first address that it is given.

Pure. Name servers answer in random order, but glibc's getaddrinfo sorts what it receives (RFC 6724, rule 9): first the
address that has most leading bits in common with the machine's own. Only what ties keeps the servers' order. The other
rules see no difference between addresses of one subnet. A machine that has no IPv6 address at all, not even a
link-local one, is an exception: there glibc does not know the length of IPv4 prefixes, sorts nothing, and the racks
share evenly.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction

from rackrelay.addresses import Address, Network
from rackrelay.zone.rule import Answer

Shares = Mapping[str, Fraction]

# The busiest rack may get so many times its fair share before somebody should renumber racks.
UNEVEN = Fraction(3, 2)


def rack_shares(network: Network, answer: Answer) -> Shares:
    """Rack -> its share of the machines, adding up to 1; racks that are not in the answer have none."""
    shares = address_shares(network, answer.addresses)
    racks: dict[str, Fraction] = {}
    for member in answer.members:
        # An address that two racks claim is counted once.
        found = [shares.pop(address) for address in member.addresses if address in shares]
        if found:
            racks[member.name] = sum(found, Fraction(0))
    return racks


def address_shares(network: Network, addresses: Collection[Address]) -> dict[Address, Fraction]:
    """Address -> its share of all machine addresses that the network could have, adding up to 1.

    Exact, in O(n log n) for n addresses whatever the size of the network. It counts the few addresses that no machine
    can have (the racks' own, the broadcast address), and those of nested subnets, as machines.
    """
    nearest = sorted(_nearest(network, addresses), key=int)
    if not nearest:
        return {}
    if nearest[0] not in network:
        return {a: Fraction(int(a in nearest), len(nearest)) for a in addresses}
    host_bits = network.max_prefixlen - network.prefixlen
    machines = dict(_split([int(address) for address in nearest], host_bits, Fraction(0)))
    return {address: machines.get(int(address), Fraction(0)) / 2**host_bits for address in addresses}


def times_fair(shares: Collection[Fraction]) -> Fraction:
    """How many times its fair share the busiest gets: 1 when all get the same."""
    return max(shares) * len(shares)


def uneven_hint(network: Network, answer: Answer, shares: Shares) -> str:
    """Who gets too much, and what to do about it; empty when the racks share well enough."""
    if times_fair(shares.values()) <= UNEVEN:
        return ""
    busiest = max(shares, key=lambda rack: shares[rack])
    told = f"{busiest} gets {percent(shares[busiest])}% of the machines, fair is {percent(Fraction(1, len(shares)))}%"
    counts = [len(set(m.addresses) & set(answer.addresses)) for m in answer.members if m.name in shares]
    if times_fair([Fraction(count, sum(counts)) for count in counts]) > UNEVEN:
        advice = "give each rack as many addresses here, or leave some out with spec.addresses of the RackController"
        return f"{told}, because it has more addresses than others; {advice}"
    block = aligned_block(network, len(answer.addresses))
    example = f", such as {block[0]} to {block[-1]} if they are free" if block else ""
    advice = f"put the racks' addresses side by side in one small aligned block{example}"
    return f"{told}, because machines choose the address most like their own; {advice}"


def aligned_block(network: Network, count: int) -> Sequence[Address]:
    """That many addresses in a row that nearly all machines find equally near; empty when the network is too small.

    The block at the start of the network is left to the gateway.
    """
    size = 1 << max(1, (count - 1).bit_length())
    if size + count >= network.num_addresses:
        return ()
    block = [network[size + i] for i in range(count)]
    return block if times_fair(address_shares(network, block).values()) <= UNEVEN else ()


def percent(share: Fraction) -> int:
    """As status and messages show it."""
    return round(100 * share)


def _nearest(network: Network, addresses: Collection[Address]) -> list[Address]:
    """The addresses that some machine may choose.

    Inside the network these are all that are there. All outside are equally far for IPv4, where glibc compares prefixes
    inside the machine's own network only; for IPv6 the nearest are the same for every machine.
    """
    if inside := [address for address in addresses if address in network]:
        return inside
    if network.version == 4:
        return list(addresses)
    distances = {a: (int(a) ^ int(network.network_address)).bit_length() for a in addresses}
    return [a for a, distance in distances.items() if distance == min(distances.values())]


def _split(numbers: Sequence[int], bits: int, tied: Fraction) -> Iterator[tuple[int, Fraction]]:
    """(number, how many machines choose it) of the sorted numbers in a block of 2**bits machines.

    `tied` is how many machines outside the block each of the numbers has got already.
    """
    if len(numbers) == 1:
        yield numbers[0], tied + 2**bits
        return
    # The smallest block that holds all numbers: the other machines of this block find all of them equally near.
    smallest = (numbers[0] ^ numbers[-1]).bit_length()
    tied += Fraction(2**bits - 2**smallest, len(numbers))
    half = smallest - 1
    middle = bisect_left(numbers, numbers[-1] >> half << half)
    yield from _split(numbers[:middle], half, tied)
    yield from _split(numbers[middle:], half, tied)
