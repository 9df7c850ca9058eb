"""Secrets: keys that are made once and never changed, and the one that pods mount. The random parts are arguments."""

import base64
from collections.abc import Mapping

from rackrelay import names
from rackrelay.manifests.meta import region_labels, unowned
from rackrelay.model.meta import Manifest


def build_tsig_secret(namespace: str, region: str, secret: str, rotation: int = 1) -> Manifest:
    """A key that signs zone updates; `secret` is base64 of 32 random bytes."""
    data = {names.KEY_TSIG_NAME: names.tsig_key(namespace, region, rotation), names.KEY_TSIG_SECRET: secret}
    return {**_secret(namespace, region, names.tsig_secret(region, rotation), data), "immutable": True}


def build_keys_secret(
    namespace: str, region: str, keys: Mapping[int, str], plan: tuple[tuple[int, ...], int]
) -> Manifest:
    """What pods mount: a file for named with each key (rotation -> base64 text), which of them are accepted, and which
    one signs with its name and secret."""
    accepted, signing = plan
    data = {
        names.KEY_TSIG_ACCEPTED: ",".join(str(rotation) for rotation in accepted),
        names.KEY_TSIG_SIGNING: str(signing),
        names.KEY_TSIG_NAME: names.tsig_key(namespace, region, signing),
        names.KEY_TSIG_SECRET: keys[signing],
    }
    for rotation, secret in sorted(keys.items()):
        name = names.tsig_key(namespace, region, rotation)
        text = f'key "{name}" {{\n    algorithm hmac-sha256;\n    secret "{secret}";\n}};\n'
        data[names.tsig_file(rotation)] = text
    return _secret(namespace, region, names.keys_secret(region), data)


def build_agent_secret(namespace: str, region: str, key: str) -> Manifest:
    """The key that signs status requests and answers; any random text."""
    return {**_secret(namespace, region, names.agent_secret(region), {names.KEY_AGENT: key}), "immutable": True}


def _secret(namespace: str, region: str, name: str, data: dict[str, str]) -> Manifest:
    metadata = unowned(namespace, name, region_labels(region))
    # Not stringData: server-side apply would never remove a key from it.
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded}
