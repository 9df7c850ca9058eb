"""From a spec as the API server stores it to typed fields, and what cannot be used in it, in words.

The API server has validated what it stores, by the definition of that time. An object that is older than a rule, or a
definition that somebody else installed, may still hold anything.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

T = TypeVar("T")
Spec = TypeVar("Spec", bound="SpecModel")
Location = tuple[str | int, ...]

# More than so many wrong fields make it another document.
MAX_WRONG = 20
_MAX_SHOWN = 64


class SpecModel(BaseModel):
    """A spec or a part of one; names are spelled as the definition does. Fields of other releases are left alone."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True)


class Reference(SpecModel):
    """The name of another object in the namespace."""

    name: str


@dataclass(frozen=True)
class Parsed(Generic[T]):
    """`value`: what can be used, None when that is nothing. `problem`: the first field that cannot, and why; or empty.

    A field that cannot be used counts as one that is not there, so that what hangs on the other fields goes on.
    """

    value: T | None
    problem: str = ""


def read_spec(model: type[Spec], spec: Mapping[str, Any]) -> Parsed[Spec]:
    """The spec's fields, without those that the model refuses."""
    rest, problem = spec, ""
    for _attempt in range(MAX_WRONG):
        try:
            return Parsed(model.model_validate(rest), problem)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False)[0]
            problem = problem or _words(wrong["loc"], wrong["msg"], wrong["input"])
            # What lacks a field that it needs is of no use as a whole.
            place = wrong["loc"][:-1] if wrong["type"] == "missing" else wrong["loc"]
            if not place:
                break
            rest = _without(rest, place)
    return Parsed(None, problem)


def _words(place: Location, message: str, given: object) -> str:
    words = message.removeprefix("Value error, ").rstrip(".")
    shown = f", got {given!r}" if isinstance(given, str | int | float) and len(str(given)) <= _MAX_SHOWN else ""
    return f"{_path(place)}: {words[:1].lower()}{words[1:]}{shown}"


def _path(place: Location) -> str:
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)


def _without(spec: Mapping[str, Any], place: Location) -> Mapping[str, Any]:
    copy: Any = deepcopy(dict(spec))
    owner = copy
    for part in place[:-1]:
        owner = owner[part]
    del owner[place[-1]]
    return dict(copy)
