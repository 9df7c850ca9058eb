"""`helm test`: racks are asked for their subnets' names and must answer what the Subnets' status says."""

import json
import os
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# A rack that joins or leaves meanwhile changes both the status and the answer, not at the same instant.
PATIENCE_S = 30.0
Manifest = Mapping[str, Any]


class Question(NamedTuple):
    """A rack to ask for a subnet's name, and the addresses that it should answer."""

    rack: str
    server: str
    name: str
    record: str
    expected: frozenset[str]


def plan_questions(subnets: Iterable[Manifest], pods: Iterable[Manifest]) -> Iterator[Question]:
    """One question for each type of addresses that a subnet's name has and each of its racks that is in reach."""
    nodes = {pod["spec"].get("nodeName"): pod.get("status", {}).get("hostIP") for pod in pods}
    for subnet in filter(is_served, subnets):
        status = subnet["status"]
        for rack in status.get("racks", ()):
            server = nodes.get(rack["name"])
            if server and rack.get("tier") != "Unreachable":
                for record, addresses in by_type(status["addresses"]):
                    yield Question(rack["name"], server, status["dnsName"], record, addresses)


def by_type(addresses: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """A and AAAA with the addresses of each, if there are any."""
    found = [ip_address(text) for text in addresses]
    for record, version in (("A", 4), ("AAAA", 6)):
        if own := frozenset(str(address) for address in found if address.version == version):
            yield record, own


def is_served(subnet: Manifest) -> bool:
    """Whether a subnet has a name that has an address."""
    status = subnet.get("status", {})
    return bool(status.get("dnsName") and status.get("addresses"))


def ask(question: Question) -> str:
    """What is wrong with the answer; empty when it is as expected."""
    query = dns.message.make_query(question.name, question.record)
    try:
        answer, _ = dns.query.udp_with_fallback(query, question.server, timeout=2)
    except (OSError, dns.exception.DNSException) as error:
        return f"no answer: {error or type(error).__name__}"
    wanted = dns.rdatatype.from_text(question.record)
    found = {record.to_text() for rrset in answer.answer if rrset.rdtype == wanted for record in rrset}
    if found == question.expected:
        return ""
    return f"answered {sorted(found)}, but the Subnet's status says {sorted(question.expected)}"


def read_questions(namespaces: Iterable[str]) -> tuple[int, list[Question]]:
    """How many Subnets have an address, and the questions of all namespaces, as things are now."""
    served = 0
    questions: list[Question] = []
    for namespace in namespaces:
        subnets = list_objects(f"/apis/rackrelay.dev/v1alpha1/namespaces/{namespace}/subnets")
        pods = list_objects(f"/api/v1/namespaces/{namespace}/pods?labelSelector=app.kubernetes.io/component%3Drack")
        served += sum(map(is_served, subnets))
        questions += plan_questions(subnets, pods)
    return served, questions


def list_objects(path: str) -> list[Manifest]:
    """The objects that the API server lists there."""
    with open(f"{ACCOUNT}/token") as token:
        headers = {"Authorization": f"Bearer {token.read().strip()}"}
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    request = urllib.request.Request(f"https://{f'[{host}]' if ':' in host else host}:{port}{path}", headers=headers)
    trust = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
    # Python 3.13 refuses CA certificates that lack extensions which kubectl and every Go client do without.
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    with urllib.request.urlopen(request, timeout=10, context=trust) as answer:  # noqa: S310 - https, as written above
        items: list[Manifest] = json.load(answer)["items"]
        return items


def is_passing(error: urllib.error.URLError) -> bool:
    """Whether the same request may succeed soon: a definition that was just installed is answered with 429 at first."""
    return not isinstance(error, urllib.error.HTTPError) or error.code == 429 or error.code >= 500


def main(namespaces: list[str]) -> int:
    """0 when every rack in reach answers right, or when there is nothing to ask yet."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            served, questions = read_questions(namespaces)
        except urllib.error.URLError as error:
            if is_passing(error) and time.monotonic() < deadline:
                time.sleep(1)
                continue
            print(f"the API server did not list Subnets and pods: {error}")
            return 1
        complaints = {question: ask(question) for question in questions}
        if (questions and not any(complaints.values())) or not served or time.monotonic() > deadline:
            break
        time.sleep(1)
    if not served:
        print(f"no Subnet's name has an address yet in {', '.join(namespaces)}: nothing to ask")
    elif not questions:
        print(f"{served} Subnets have an address, but no rack that could be asked is in reach")
    for question, complaint in complaints.items():
        verdict = complaint or " ".join(sorted(question.expected))
        print(f"{question.rack} ({question.server}): {question.name} {question.record}: {verdict}")
    return int(served > 0 and (not questions or any(complaints.values())))


if __name__ == "__main__":
    socket.setdefaulttimeout(10)
    sys.exit(main(sys.argv[1:]))
