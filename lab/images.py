"""Container images: rackrelay's own, built from the Dockerfile, and the pause image; kept as archives in the cache.

Nothing is pulled. The base image is a tree made by debootstrap, and Python packages come from a folder of wheels
that is filled on the host and mounted into the build.
"""

import hashlib
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.debian import SUITE, build_base_tree
from lab.errors import LabError
from lab.locks import locked, make_once
from lab.paths import FILES, REPOSITORY, cache_dir
from lab.progress import Progress
from lab.shell import run

PAUSE = "localhost/rackrelay/pause:lab"
TARGETS = {"operator": "localhost/rackrelay/operator:dev", "dataplane": "localhost/rackrelay/dataplane:dev"}
BASE = f"localhost/debian:{SUITE}-slim"
_PYTHON = "3.13"
_ENVIRONMENT = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "overlay"}


@dataclass(frozen=True)
class Archive:
    """An image as a file that containerd imports; two archives with one id hold the same image."""

    image: str
    id: str
    file: Path


def build_images(progress: Progress, targets: Iterable[str] = TARGETS) -> list[Archive]:
    """rackrelay's images, up to date with the working tree; quick when nothing that goes into them has changed."""
    with locked(cache_dir("locks") / "images"):
        with progress.step("base image", "45 s the first time"):
            base = _base_image()
        with progress.step("Python wheels", "15 s the first time"):
            wheels = build_wheelhouse()
        archives = []
        for target in targets:
            with progress.step(f"image {target}", "1 min the first time, then seconds"):
                inputs = hash_inputs(REPOSITORY, base)
                archives.append(_find_built(target, inputs) or _build_target(target, inputs, wheels))
        return archives


def hash_inputs(repository: Path, base: str) -> str:
    """A hash of all that goes into the images: what .dockerignore lets through, and the base image."""
    digest = hashlib.sha256(base.encode())
    folders = [repository / "operator", repository / "requirements"]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    for file in [repository / "Dockerfile", repository / ".dockerignore", *sorted(files)]:
        if file.suffix != ".pyc" and not any(part.endswith(".egg-info") for part in file.parts):
            digest.update(f"{file.relative_to(repository)} {file.stat().st_mode:o}\n".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def find_archives() -> list[Archive]:
    """The images that were built before and still have their archive."""
    found = []
    for target in TARGETS:
        record = _read_record(target)
        if record and (file := Path(record["file"])).exists():
            found.append(Archive(record["image"], record["id"], file))
    return found


def find_archive(image: str) -> Archive:
    """The archive of an image by its name, by a target's name, or by its file. Raises LabError when there is none."""
    if (file := Path(image)).is_file():
        return Archive(image, hashlib.sha256(file.read_bytes()).hexdigest(), file.resolve())
    for archive in find_archives():
        if archive.image in (image, TARGETS.get(image)):
            return archive
    raise LabError(f"there is no image {image!r}: run `python3 -m lab images`, or name an OCI archive")


def pause_archive() -> Path:
    """The pause image's archive, which `build_pause` makes."""
    key = hashlib.sha256((FILES / "pause.c").read_bytes()).hexdigest()[:12]
    return cache_dir("images") / f"pause-{key}.tar"


def build_pause() -> None:
    """The sandbox image of all pods is in the cache: one static program."""
    if pause_archive().exists():
        return
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "pause"
        run(["gcc", "-Os", "-Wall", "-Werror", "-static", "-s", "-o", program, FILES / "pause.c"])
        container = _buildah("from", "scratch")
        _buildah("add", "--quiet", container, str(program), "/pause")
        _buildah("config", "--entrypoint", '["/pause"]', "--user", "65535:65535", container)
        _buildah("commit", "--quiet", "--rm", container, PAUSE)
    _push(PAUSE, pause_archive())


def build_wheelhouse() -> Path | None:
    """A folder with every wheel of the operator's lock file, for the images' Python; None when none can be had here."""
    lock = REPOSITORY / "requirements" / "operator.txt"
    target = cache_dir("wheels") / hashlib.sha256(lock.read_bytes() + _PYTHON.encode()).hexdigest()[:12]
    if target.exists():
        return target
    machine = platform.machine()
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in (5, 12, 17, 24, 28, 31, 34, 39, 41)]
    kind = [
        "--only-binary=:all:",
        "--no-deps",
        "--require-hashes",
        f"--python-version={_PYTHON}",
        "--implementation=cp",
    ]

    def fill(scratch: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", f"--dest={scratch / 'root'}", *kind, *platforms]
        run([*command, f"--platform=linux_{machine}", f"--requirement={lock}"])

    try:
        return make_once(target, fill)
    except LabError as error:
        print(f"no wheels, so the build asks the package index itself: {error}", file=sys.stderr)
        return None


def _base_image() -> str:
    """The name of the image of the base tree, imported unless it is there; another tree has another name."""
    tree = build_base_tree()
    image = f"localhost/debian:{tree.name}"
    if not _has(image):
        container = _buildah("from", "scratch")
        _buildah("add", "--quiet", container, str(tree), "/")
        _buildah("config", "--cmd", "bash", container)
        _buildah("commit", "--quiet", "--rm", container, image)
    _buildah("tag", image, BASE)
    return image


def _find_built(target: str, inputs: str) -> Archive | None:
    record = _read_record(target)
    if record and record.get("inputs") == inputs and Path(record["file"]).exists():
        return Archive(record["image"], record["id"], Path(record["file"]))
    return None


def _read_record(target: str) -> dict[str, str] | None:
    record = cache_dir("images") / f"{target}.json"
    return json.loads(record.read_text()) if record.exists() else None


def _build_target(target: str, inputs: str, wheels: Path | None) -> Archive:
    image = TARGETS[target]
    mount = ["--volume", f"{wheels}:/wheelhouse:ro"] if wheels else []
    arguments = ["--layers", "--pull-never", "--target", target, "--build-arg", f"BASE={BASE}", *mount]
    _buildah("build", *arguments, "--tag", image, "--file", str(REPOSITORY / "Dockerfile"), str(REPOSITORY))
    identity = _buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", image)
    archive = Archive(image, identity, cache_dir("images") / f"{target}-{identity[:12]}.tar")
    if not archive.file.exists():
        for old in cache_dir("images").glob(f"{target}-*.tar"):
            old.unlink()
        _push(image, archive.file)
    record = {"image": image, "id": identity, "file": str(archive.file), "inputs": inputs}
    (cache_dir("images") / f"{target}.json").write_text(json.dumps(record))
    return archive


def _push(image: str, file: Path) -> None:
    """The archive appears whole or not at all; uncompressed, as it never leaves the machine."""
    scratch = file.with_suffix(".new")
    scratch.unlink(missing_ok=True)
    _buildah("push", "--quiet", "--disable-compression", image, f"oci-archive:{scratch}:{image}")
    shutil.move(scratch, file)


def _has(image: str) -> bool:
    return bool(_buildah("images", "--quiet", "--filter", f"reference={image}"))


def _buildah(command: str, *arguments: str) -> str:
    """What buildah prints. It keeps its images in the lab's cache, apart from other users of buildah."""
    place: list[str | Path] = ["--root", cache_dir("buildah"), "--runroot", "/run/rackrelay-lab-buildah"]
    return run(["buildah", *place, command, *arguments], env=_ENVIRONMENT).stdout.strip()
