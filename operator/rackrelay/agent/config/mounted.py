"""Mounted ConfigMaps and Secrets, read whole: never half of one version and half of the next."""

from dataclasses import dataclass, field
from pathlib import Path

from rackrelay.protocol.digest import config_digest

# The kubelet writes a version into a folder of its own and then renames this link over the one before.
_CURRENT = "..data"
_PACKED = ".gz"


@dataclass(frozen=True)
class Snapshot:
    """One version of a mounted folder: file name -> text, and file name -> bytes for what is packed."""

    version: str
    data: dict[str, str] = field(default_factory=dict)
    packed: dict[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest that the operator computes of the same ConfigMap."""
        return config_digest(self.data)


def current_version(folder: Path) -> str | None:
    """What the folder holds now, None while nothing is mounted. Cheap enough to ask several times a second."""
    try:
        return str((folder / _CURRENT).readlink())
    except OSError:
        return None


def read_snapshot(folder: Path) -> Snapshot | None:
    """The files of the current version; None when there is none, or when it is replaced while being read."""
    version = current_version(folder)
    if version is None:
        return None
    try:
        files = [file for file in sorted((folder / version).iterdir()) if file.is_file()]
        return Snapshot(
            version,
            {file.name: file.read_text() for file in files if file.suffix != _PACKED},
            {file.name: file.read_bytes() for file in files if file.suffix == _PACKED},
        )
    except (OSError, UnicodeDecodeError):
        return None
