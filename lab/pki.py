"""Keys, tokens and kubeconfigs of one control plane, made with openssl.

Users are known by token, not by client certificate: less to make, as good for a lab that nobody else reaches.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.shell import run

ADMIN = "admin"
USERS = {
    ADMIN: "system:masters",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    "system:kube-proxy": "",
}
_EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_SERVICE = "kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Pki:
    """The folder with a control plane's keys."""

    folder: Path
    server: str

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    @property
    def is_complete(self) -> bool:
        """Whether `create` came to its end."""
        return (self.folder / "complete").exists()

    def kubeconfig(self, user: str) -> Path:
        return self.folder / f"{user.replace(':', '-')}.kubeconfig"

    def create(self, addresses: Sequence[str], nodes: Sequence[str] = ()) -> None:
        """A certificate for the addresses, a service account key, a kubeconfig for every user and node."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._create_certificates(addresses)
        users = USERS | {f"system:node:{node}": "system:nodes" for node in nodes}
        tokens = {user: secrets.token_hex(16) for user in users}
        lines = [f'{tokens[user]},{user},{user},"{groups}"' for user, groups in users.items()]
        self.tokens.write_text("\n".join(lines) + "\n")
        for user, token in tokens.items():
            self.kubeconfig(user).write_text(yaml.safe_dump(build_kubeconfig(self.server, self.ca, token)))
        (self.folder / "complete").touch()

    def _create_certificates(self, addresses: Sequence[str]) -> None:
        at = self.folder
        names = [f"IP:{address}" for address in addresses] + [f"DNS:{name}" for name in _service_names()]
        (at / "san").write_text(f"subjectAltName={','.join(names)}\n")
        new = ("openssl", "req", *_EC_KEY)
        run([*new, "-x509", "-days", "365", "-subj", "/CN=lab", "-keyout", at / "ca.key", "-out", self.ca])
        run([*new, "-subj", "/CN=kube-apiserver", "-keyout", at / "api.key", "-out", at / "api.csr"])
        sign = ("openssl", "x509", "-req", "-days", "365", "-CA", self.ca, "-CAkey", at / "ca.key")
        put = ("-in", at / "api.csr", "-out", at / "api.crt")
        run([*sign, "-CAcreateserial", "-extfile", at / "san", *put])
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at / "sa.key"])


def _service_names() -> list[str]:
    """kubernetes, kubernetes.default and so on: every name by which pods may call the API server."""
    parts = _SERVICE.split(".")
    return [".".join(parts[:count]) for count in (1, 2, 3, len(parts))]


def build_kubeconfig(server: str, ca: Path, token: str) -> dict[str, object]:
    """A kubeconfig for one user of the lab's API server."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
        "current-context": "lab",
    }
