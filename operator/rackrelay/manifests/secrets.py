"""Secrets: keys that are made once and never changed. The random parts are arguments."""

from rackrelay import names
from rackrelay.manifests.meta import Manifest, region_labels, unowned


def build_tsig_secret(namespace: str, region: str, secret: str) -> Manifest:
    """The key that signs zone updates; `secret` is base64 of 32 random bytes."""
    key = names.tsig_key(namespace, region)
    named = f'key "{key}" {{\n    algorithm hmac-sha256;\n    secret "{secret}";\n}};\n'
    data = {names.KEY_TSIG_NAME: key, names.KEY_TSIG_SECRET: secret, names.KEY_TSIG_NAMED: named}
    return _immutable(namespace, region, names.tsig_secret(region), data)


def build_agent_secret(namespace: str, region: str, key: str) -> Manifest:
    """The key that signs status requests and answers; any random text."""
    return _immutable(namespace, region, names.agent_secret(region), {names.KEY_AGENT: key})


def _immutable(namespace: str, region: str, name: str, data: dict[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": unowned(namespace, name, region_labels(region)),
        "type": "Opaque",
        "immutable": True,
        "stringData": data,
    }
