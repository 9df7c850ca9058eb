"""The command line: `python3 -m lab COMMAND`. Each command is one call of `Lab`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from lab.cluster import Lab
from lab.debian import prepare_host
from lab.errors import LabError
from lab.images import TARGETS, build_images
from lab.prepare import prepare
from lab.progress import Progress
from lab.site import default_name
from lab.status import print_status

_EPILOG = """\
the usual way:
  python3 -m lab up                          six nodes and two machines, some seconds when all is built
  python3 -m lab status                      what there is
  python3 -m lab images && python3 -m lab load   rackrelay's images, from the working tree to the nodes
  python3 -m lab exec m1 -- dig +short NAME  a command on a machine or node
  python3 -m lab power-off rack1             pull its plug
"""
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_HOST = "a node or a machine (exec and shell: also api, wan, fabric)"


def main(argv: Sequence[str]) -> int:
    """The exit code."""
    arguments = parse(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader, `head` say, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("\nlab: interrupted; the next `up` or `down` clears what is half-made", file=sys.stderr)
        return 130


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments; whatever follows `--` belongs to the command that the lab is to run."""
    words = list(argv)
    own, after = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    parser = build_parser()
    arguments = parser.parse_args(own)
    if after and not hasattr(arguments, "command"):
        parser.error(f"{own[0]} takes nothing after --")
    arguments.command = [*getattr(arguments, "command", []), *after]
    return arguments


def build_parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    parser = argparse.ArgumentParser(
        prog="python3 -m lab",
        description="A real Kubernetes cluster and real machines on this host.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", default=default_name(), help="the lab's name (default: %(default)s)")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_add_making, _add_looking, _add_breaking):
        add(commands)
    return parser


def _add_making(commands: _Commands) -> None:
    _command(commands, "prepare", lambda _: prepare_host(), "install the Debian packages that the lab calls")
    _command(commands, "build", lambda _: prepare(), "build all programs and trees (up does it too)")
    up = _command(commands, "up", _up, "bring the lab up, or repair it; quick when it is up")
    up.add_argument("--topology", type=Path, metavar="FILE", help="what to build (default: lab/topology.yaml)")
    up.add_argument("--fresh", action="store_true", help="delete a lab of this name first")
    _command(commands, "down", _down, "stop the lab and delete all of it")
    images = _command(commands, "images", _images, "build rackrelay's images from the Dockerfile")
    images.add_argument("target", nargs="*", metavar="TARGET", help=f"{' or '.join(TARGETS)} (default: both)")
    load = _command(commands, "load", lambda a: _open(a).load(*a.image), "bring images to every running node")
    load.add_argument("image", nargs="*", help="its name, or an OCI archive (default: all that were built)")


def _add_looking(commands: _Commands) -> None:
    _command(commands, "status", lambda a: print_status(_open(a)), "nodes, machines and pods at a glance")
    for name, run, what in (
        ("exec", _exec, "run a command on a host"),
        ("shell", _shell, "a shell on a host"),
    ):
        command = _command(commands, name, run, what)
        command.add_argument("host", help=_HOST)
        if name == "exec":
            command.add_argument("command", nargs="*", metavar="-- COMMAND")
    for name in ("kubectl", "helm"):
        command = _command(commands, name, _client(name), f"run {name} as cluster administrator")
        command.add_argument("command", nargs="*", metavar="-- ARGUMENTS")


def _add_breaking(commands: _Commands) -> None:
    for name, run, what in (
        ("power-off", lambda a: _open(a).power_off(a.host), "pull the plug of a node or machine"),
        ("power-on", lambda a: _open(a).power_on(a.host), "boot it again, with the disk that it had"),
        ("reset", lambda a: _open(a).reset(a.host), "boot a machine from an empty disk"),
        ("cut", lambda a: _open(a).cut(a.host, a.interface), "cut a cable, or all cables of a host"),
        ("heal", lambda a: _open(a).heal(a.host), "mend all cables of a host and end their losses"),
        ("loss", lambda a: _open(a).loss(a.host, a.interface, a.percent), "lose a share of packets"),
    ):
        command = _command(commands, name, run, what)
        command.add_argument("host", help=_HOST)
        if name in ("cut", "loss"):
            command.add_argument("interface", nargs="?" if name == "cut" else None)
        if name == "loss":
            command.add_argument("percent", type=float, help="0 to 100, in each direction")
    _command(commands, "stop-api", lambda a: _open(a).stop_api(), "kill the API server")
    _command(commands, "start-api", lambda a: _open(a).start_api(), "start the API server again")


def _command(
    commands: _Commands, name: str, run: Callable[[argparse.Namespace], object], what: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    command.add_argument("--name", default=argparse.SUPPRESS, help="the lab's name")
    command.set_defaults(run=run)
    return command


def _open(arguments: argparse.Namespace) -> Lab:
    return Lab.open(arguments.name)


def _up(arguments: argparse.Namespace) -> None:
    prepare()
    lab = Lab.up(arguments.name, arguments.topology, arguments.fresh)
    print_status(lab)


def _down(arguments: argparse.Namespace) -> None:
    Lab.remove(arguments.name)


def _images(arguments: argparse.Namespace) -> None:
    prepare_host()
    targets = arguments.target or list(TARGETS)
    for archive in build_images(Progress(2 + len(targets), "images"), targets):
        print(f"{archive.image}  {archive.id[:12]}  {archive.file}")


def _exec(arguments: argparse.Namespace) -> None:
    if not arguments.command:
        raise LabError("say what to run: exec HOST -- COMMAND")
    _become([*_open(arguments).enter(arguments.host), *arguments.command], dict(os.environ))


def _shell(arguments: argparse.Namespace) -> None:
    _become([*_open(arguments).enter(arguments.host), "bash"], dict(os.environ))


def _client(program: str) -> Callable[[argparse.Namespace], None]:
    def run(arguments: argparse.Namespace) -> None:
        lab = _open(arguments)
        _become([*lab.enter("api"), program, *arguments.command], lab.environment)

    return run


def _become(argv: list[str], environment: dict[str, str]) -> None:
    """This process turns into the command, so that its terminal, signals and exit code are the command's."""
    sys.stdout.flush()
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - no shell is wanted
