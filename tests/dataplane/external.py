"""A name server that rackrelay does not run: BIND as its owner would configure it, among zones of its owner's own."""

import base64
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from rackrelay import names
from rackrelay.nameservers.update import TsigKey
from tests.dataplane.netns import Namespace
from tests.dataplane.pod import Pod, wait_until
from tests.dataplane.site import DOMAIN

SIGNED, NO_TRANSFER, NO_UPDATE = "signed.example", "no-transfer.example", "no-update.example"
OWNERS_SERIAL = 2026112201
STATE = f"{names.DIR_STATE}/named"

# What docs/install.md tells the owner to write, for each zone with what is special about it.
_CONFIGURATION = """
key "rackrelay" { algorithm hmac-sha512; secret "@SECRET@"; };
options {
    directory "@STATE@";
    pid-file none;
    session-keyfile none;
    listen-on { any; };
    recursion yes;
    allow-recursion { 192.168.77.0/24; };
    dnssec-validation no;
};
controls { };
zone "corp.example" { type primary; file "corp.example.db"; };
@ZONES@
"""
_ZONE = 'zone "{0}" {{ type primary; file "{0}.db"; {1} }};'
_UPDATE, _TRANSFER = 'allow-update { key "rackrelay"; };', 'allow-transfer { key "rackrelay"; };'
_ZONES = {
    DOMAIN: f"{_UPDATE} {_TRANSFER}",
    SIGNED: f"{_UPDATE} {_TRANSFER} dnssec-policy default;",
    NO_TRANSFER: f"{_UPDATE} allow-transfer {{ none; }};",
    NO_UPDATE: _TRANSFER,
}
_RECORDS = f"""\
$TTL 3600
@ IN SOA ns1 hostmaster.corp.example. {OWNERS_SERIAL} 7200 900 1209600 300
@ IN NS ns1
ns1 IN A 192.168.77.53
printer IN A 192.168.77.99
"""


@dataclass
class ExternalBind:
    """The named of somebody else, in a network namespace, from the daemons of an unpacked image."""

    root: Path
    folder: Path
    space: Namespace
    address: str
    key: TsigKey = field(
        default_factory=lambda: TsigKey("rackrelay", base64.b64encode(secrets.token_bytes(64)).decode(), "hmac-sha512")
    )

    def __post_init__(self) -> None:
        # A pod only for its mounts; port 53 is bound as on a rack.
        self.pod = Pod(self.root, self.folder, self.space, "outside", self.address)

    def create(self) -> None:
        """It runs with its owner's zones as they were at first."""
        self.pod.create(b"none", {})
        zones = "\n".join(_ZONE.format(name, special) for name, special in _ZONES.items())
        text = _CONFIGURATION.replace("@ZONES@", zones).replace("@STATE@", STATE).replace("@SECRET@", self.key.secret)
        self.pod.write(f"{names.DIR_RUN}/named.conf", text)
        state = self.folder / "state" / "named"
        state.mkdir()
        for name in ("corp.example", *_ZONES):
            (state / f"{name}.db").write_text(_RECORDS)
        for path in (state, *state.iterdir()):
            shutil.chown(path, names.UID, names.UID)
        self.start()

    def start(self) -> None:
        """It answers when this returns."""
        self.pod.start_one("named")
        wait_until(self._answers, "the external named answers", lambda: self.pod.log("named"))

    def stop(self) -> None:
        """Nobody answers."""
        self.pod.stop_one("named")

    def ask(self, name: str, kind: str = "A") -> list[str]:
        """What it answers to who is beside it, sorted."""
        with self.space.inside():
            answer = dns.query.udp(dns.message.make_query(name, kind), self.address, timeout=5)
        return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)

    def _answers(self) -> bool:
        try:
            return bool(self.ask(DOMAIN, "SOA"))
        except (OSError, dns.exception.DNSException):
            return False
