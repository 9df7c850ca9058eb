"""Blocks of configuration text, as named and nginx write them."""

from collections.abc import Iterable

INDENT = "    "


def block(head: str, lines: Iterable[str], end: str = "}") -> list[str]:
    """`head {`, the lines one level deeper, and the end."""
    return [f"{head} {{", *(f"{INDENT}{line}" if line else "" for line in lines), end]


def document(title: str, *parts: Iterable[str]) -> str:
    """A whole file: a comment that says what it is, then the parts with a blank line before each."""
    lines = [f"# {title}"]
    for part in parts:
        lines += ["", *part]
    return "\n".join(lines) + "\n"
