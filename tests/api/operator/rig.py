"""A namespace with an operator, and fakes in place of what runs on nodes: kubelets, name servers, agents.

Pods are made from the workloads' own templates, as the controllers of a cluster would make them; no controller runs.
Each fake has an address of loopback, so that the fixed ports do not clash.
"""

import base64
import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from lab.apiserver import ApiServer
from lab.paths import REPOSITORY
from rackrelay import names
from rackrelay.cluster.client import (
    BY_NAME,
    CONFIG_MAP,
    DAEMON_SET,
    NODE,
    POD,
    RACK,
    REGION,
    SECRET,
    STATEFUL_SET,
    Kind,
)
from rackrelay.errors import InvalidSpec
from rackrelay.nameservers.update import TsigKey
from rackrelay.protocol.digest import config_digest
from rackrelay.zone.plan import Zone
from rackrelay.zone.storage import read_zone
from tests.api.operator.cluster import Cluster, Manifest, wait_for
from tests.api.operator.process import BY_RIGHT, Operator, write_kubeconfig
from tests.fakes.agent import FakeAgent, build_document
from tests.fakes.name_server import FakeNameServer

REGION_NAME = "demo"
DOMAIN = "maas-internal"
EXAMPLES = REPOSITORY / "examples" / "demo"


_NUMBERS = itertools.count(1)


@contextmanager
def open_rig(server: ApiServer, folder: Path, outages: bool = False) -> "Iterator[Rig]":
    """A namespace of its own. When it is left the operator has ended in good order, and has been refused nothing.

    `outages`: the API server is killed meanwhile; one that has just started refuses all until it has read the rights.
    """
    rig = Rig(server, f"machines-{next(_NUMBERS)}", folder)
    try:
        yield rig
        rig.operator.stop()
        log = rig.operator.log
        assert outages or "forbidden" not in log.lower(), log
        assert "Traceback" not in log, log
    finally:
        rig.close()


class FakePod:
    """A pod's name server and agent. Without power nobody listens; with power again the zone is as it was."""

    def __init__(self, rig: "Rig", name: str, address: str, port: int, interfaces: tuple[str, ...] = ()) -> None:
        self.name, self.address = name, address
        self._rig, self._interfaces = rig, interfaces
        self.dns = FakeNameServer(rig.mounted_zone(), rig.tsig_key(), address, port)
        self.agent: FakeAgent | None = None
        self.polls_before = 0

    def power_on(self) -> None:
        self.dns.start()
        document = build_document(*self._interfaces, config_hash=self._rig.config_hash(self.name))
        self.agent = FakeAgent(document, self._rig.agent_key(), self.address)

    def power_off(self) -> None:
        self.dns.close()
        if self.agent:
            self.polls_before += self.agent.polls
            self.agent.close()
            self.agent = None

    @property
    def polls(self) -> int:
        """Status requests that the agent has answered."""
        return self.polls_before + (self.agent.polls if self.agent else 0)

    def report(self, **changes: Any) -> None:
        """The agent says something else from now on."""
        assert self.agent is not None
        self.agent.document = {**self.agent.document, **changes}

    def follow_config(self) -> None:
        """The agent runs the configuration that the operator wants now."""
        assert self.agent is not None
        config = {**self.agent.document["config"], "hash": self._rig.config_hash(self.name)}
        self.report(config=config)


class Rig:
    """One namespace of an API server."""

    def __init__(self, server: ApiServer, namespace: str, folder: Path) -> None:
        self.cluster = Cluster(server)
        self.namespace, self.domain = namespace, DOMAIN
        self.pods: dict[str, FakePod] = {}
        self._cleanup = ExitStack()
        self._cleanup.callback(self.cluster.close)
        metadata = {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": "privileged"}}
        self.cluster.create(BY_RIGHT["Namespace"], {"metadata": metadata})
        self.cluster.create(BY_RIGHT["ServiceAccount"], {"metadata": {"namespace": namespace, "name": "default"}})
        self.operator = Operator(write_kubeconfig(self.cluster, namespace, folder), namespace, folder)
        self._cleanup.callback(self.operator.kill)

    def close(self) -> None:
        """Nothing runs any more, and the nodes are gone, which other namespaces would see."""
        with self._cleanup:
            for pod in self.pods.values():
                pod.power_off()
            for node in self.cluster.list_all(NODE):
                self.cluster.delete(NODE, "", node["metadata"]["name"])

    def hand_over(self, operator: Operator) -> None:
        """From now on this is the namespace's operator, which runs; the one before has ended in good order."""
        self._cleanup.callback(operator.kill)
        before, self.operator = self.operator, operator
        before.stop()
        assert "Traceback" not in before.log, before.log

    # What users do.

    def apply(self, kind: str, name: str, spec: Manifest) -> None:
        """A resource as kubectl applies it."""
        metadata = {"namespace": self.namespace, "name": name}
        self._apply([{"apiVersion": names.API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}])

    def apply_demo(self, *files: str) -> None:
        """The example that the demo applies, or some of its files."""
        found = [EXAMPLES / f for f in files] or sorted(EXAMPLES.glob("*.yaml"))
        objects = [o for f in found for o in yaml.safe_load_all(f.read_text())]
        self._apply([{**o, "metadata": {**o["metadata"], "namespace": self.namespace}} for o in objects])

    def _apply(self, objects: list[Manifest]) -> None:
        for manifest in objects:
            self.cluster.apply(BY_NAME[manifest["kind"]], manifest)

    # What nodes do.

    def add_node(self, name: str, address: str, role: str = "rack") -> None:
        """A Ready node."""
        self.cluster.create(NODE, {"metadata": {"name": name, "labels": {f"{names.GROUP}/role": role}}})
        status = {
            "addresses": [{"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}],
        }
        self.cluster.patch(NODE, "", name, {"status": status}, "status")

    def add_rack(self, number: int, *interfaces: str) -> FakePod:
        """The node rack<number> with a running rack pod; its interfaces as text, such as 10.10.0.2/24."""
        name, address = f"rack{number}", f"127.53.0.{number}"
        self.add_node(name, address)
        self.start_rack_pod(name, address)
        return self._power_on(FakePod(self, name, address, names.PORT_DNS, interfaces))

    def start_rack_pod(self, node: str, address: str) -> None:
        """What the DaemonSet's controller and the node's kubelet do."""
        workload = self.wait_object(DAEMON_SET, names.rack_workload(REGION_NAME))
        self._start_pod(workload, f"{names.rack_workload(REGION_NAME)}-{node}", address, node)

    def add_region_pod(self, ordinal: int) -> FakePod:
        """One running replica of the region."""
        name, address = names.region_replica(REGION_NAME, ordinal), f"127.53.1.{ordinal + 1}"
        node = f"region{ordinal}"
        self.add_node(node, address, "region")
        self._start_pod(self.wait_object(STATEFUL_SET, names.region_workload(REGION_NAME)), name, address, node)
        return self._power_on(FakePod(self, name, address, names.PORT_REGION_DNS))

    def _power_on(self, pod: FakePod) -> FakePod:
        self.pods[pod.name] = pod
        pod.power_on()
        return pod

    def _start_pod(self, workload: Manifest, name: str, address: str, node: str) -> None:
        template = workload["spec"]["template"]
        metadata = {**template["metadata"], "namespace": self.namespace, "name": name}
        self.cluster.create(POD, {"metadata": metadata, "spec": {**template["spec"], "nodeName": node}})
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": address,
            "hostIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self.cluster.patch(POD, self.namespace, name, {"status": status}, "status")

    # What is there.

    def get(self, kind: Kind, name: str) -> Manifest | None:
        """The object, None when there is none; an error when there is no operator any more to make it."""
        self.operator.require_alive()
        return self.cluster.get(kind, self.namespace, name)

    def wait_object(self, kind: Kind, name: str) -> Manifest:
        """The object, as soon as there is one."""
        return wait_for(f"{kind.name} {name}", lambda: self.get(kind, name), lambda: self.operator.log)

    def conditions(self, kind: Kind, name: str) -> dict[str, tuple[str, str]]:
        """Type -> (status, reason)."""
        found = self.get(kind, name)
        return {c["type"]: (c["status"], c["reason"]) for c in (found or {}).get("status", {}).get("conditions", ())}

    def wait_conditions(self, kind: Kind, name: str, **expected: tuple[str, str] | None) -> Manifest:
        """The object once its conditions are as expected; None: the condition is not there."""

        def holds() -> bool:
            found = self.conditions(kind, name)
            return all(found.get(c) == wanted for c, wanted in expected.items()) and bool(found)

        wait_for(f"{kind.name} {name}: {expected}", holds, lambda: f"{self.get(kind, name)}\n{self.operator.log}")
        return self.get(kind, name) or {}

    def published(self) -> Zone | None:
        """The zone in its ConfigMap; None when there is none, or it cannot be read."""
        found = self.get(CONFIG_MAP, names.zone_config(REGION_NAME))
        try:
            return read_zone(found, self.domain) if found else None
        except InvalidSpec:
            return None

    def wait_zone(self, **expected: tuple[str, ...]) -> Zone:
        """The zone once its names are exactly these and every name server with power serves it.

        Names are written with underscores: _10_10_0_0__24=("10.10.0.2",).
        """
        wanted = {label.removeprefix("_").replace("_", "-"): addresses for label, addresses in expected.items()}

        def look() -> Zone | None:
            zone = self.published()
            if zone is None or {label: a for (label, _), a in zone.rrsets.items()} != wanted:
                return None
            return zone if all(p.dns.zone == zone for p in self.pods.values() if p.agent) else None

        def explain() -> str:
            served = {name: (pod.dns.zone, bool(pod.agent)) for name, pod in self.pods.items()}
            racks = (self.get(RACK, REGION_NAME) or {}).get("status")
            return f"published: {self.published()}\nserved: {served}\nracks: {racks}\n{self.operator.log}"

        return wait_for(f"a zone of {wanted} everywhere", look, explain)

    def wait_polled(self, times: int = 2) -> None:
        """Every agent with power has been asked a few times more: the operator is at work and has had time to act."""
        before = {name: pod.polls for name, pod in self.pods.items()}
        wait_for(
            "agents are asked",
            lambda: all(p.polls >= before[n] + times for n, p in self.pods.items() if p.agent),
            lambda: self.operator.log,
        )

    def wait_applied(self) -> None:
        """Every agent runs the configuration that the operator wants, however often that changes, and it says so."""

        def look() -> bool:
            for pod in self.pods.values():
                pod.follow_config()
            applied = ("True", "Applied")
            return all(self.conditions(k, REGION_NAME).get("ConfigApplied") == applied for k in (REGION, RACK))

        wait_for("configuration is applied", look, lambda: self.operator.log)

    def snapshot(self) -> dict[str, str]:
        """The version of every object of the namespace."""
        kinds = [kind for kind in BY_NAME.values() if kind.namespaced]
        objects = [(k, o["metadata"]) for k in kinds for o in self.cluster.list_all(k, self.namespace)]
        return {f"{kind.name} {metadata['name']}": metadata["resourceVersion"] for kind, metadata in objects}

    # What pods have mounted.

    def mounted_zone(self) -> Zone:
        """The published zone; an empty one with serial 0 when there is none."""
        return self.published() or Zone(self.domain, 15, 0)

    def tsig_key(self, rotation: int = 1) -> TsigKey:
        data = self._secret(names.tsig_secret(REGION_NAME, rotation))
        return TsigKey(data[names.KEY_TSIG_NAME].decode(), data[names.KEY_TSIG_SECRET].decode())

    def agent_key(self) -> bytes:
        return self._secret(names.agent_secret(REGION_NAME))[names.KEY_AGENT]

    def config_hash(self, pod: str) -> str:
        """The digest of the configuration that a pod mounts."""
        is_region = pod.startswith(names.region_workload(REGION_NAME))
        name = names.region_config(REGION_NAME) if is_region else names.rack_workload(REGION_NAME)
        return config_digest(self.wait_object(CONFIG_MAP, name)["data"])

    def _secret(self, name: str) -> dict[str, bytes]:
        return {k: base64.b64decode(v) for k, v in self.wait_object(SECRET, name)["data"].items()}
