"""What plans can include, declared once and typed: switches, limits and choices. Pure; a slip of the pen is an error at the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Protocol

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass

FeatureName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
_strict = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_strict)
class Switch:
    """Something a plan has or has not: listed in `Plan.features`."""

    name: FeatureName


@dataclass(frozen=True, config=_strict)
class Limit:
    """Something a plan has so many of: a number in `Plan.limits`; none where the plan says nothing, without end when in `Plan.features`."""

    name: FeatureName


@dataclass(frozen=True, config=_strict)
class Choice:
    """Something a plan has one kind of: one of `options` in `Plan.choices`, least first; the least where the plan says nothing."""

    name: FeatureName
    options: Annotated[tuple[FeatureName, ...], Field(min_length=2)]

    def __post_init__(self) -> None:
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"choice {self.name!r} has the same option twice; leave one out")


Feature = Switch | Limit | Choice


class Includes(Protocol):
    """What a plan says it includes."""

    @property
    def key(self) -> str:
        """Its name."""

    @property
    def features(self) -> tuple[str, ...]:
        """What is on, or without limit."""

    @property
    def limits(self) -> Mapping[str, int]:
        """How many of what."""

    @property
    def choices(self) -> Mapping[str, str]:
        """Which kind of what."""


def refuse_undeclared(declared: Iterable[Feature], plans: Iterable[Includes]) -> None:
    """Raise unless every plan includes only what is declared, as what it is declared.

    Raises:
        ValueError: with what to write instead.
    """
    known: dict[str, Feature] = {}
    for feature in declared:
        if feature.name in known:
            raise ValueError(f"feature {feature.name!r} is declared twice; leave one out")
        known[feature.name] = feature
    for plan in plans:
        for name in plan.features:
            if isinstance(_known(known, plan, name, "Switch"), Choice):
                raise ValueError(f"plan {plan.key!r} switches {name!r} on, which is a choice; write choices={{{name!r}: ...}}")
        for name in plan.limits:
            if not isinstance(_known(known, plan, name, "Limit"), Limit):
                raise ValueError(f"plan {plan.key!r} has a number of {name!r}, which is no limit; declare Limit({name!r}), or take it away")
        for name, option in plan.choices.items():
            found = _known(known, plan, name, "Choice")
            if not isinstance(found, Choice):
                raise ValueError(f"plan {plan.key!r} chooses a kind of {name!r}, which is no choice; declare Choice({name!r}, (...))")
            if option not in found.options:
                raise ValueError(
                    f"plan {plan.key!r} chooses {option!r} of {name!r}, which has {', '.join(found.options)}; choose one of them"
                )


def _known(known: Mapping[str, Feature], plan: Includes, name: str, kind: str) -> Feature:
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? If not, " if close else ""
    raise ValueError(
        f"plan {plan.key!r} includes {name!r}, which no feature declares; {hint}add {kind}({name!r}) to Catalogue(features=...)"
    )
