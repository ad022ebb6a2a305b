"""What a verification tells: each thing that is not as it must be, and each that nobody here can bear witness to."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..wire import time_text


@dataclass(frozen=True, slots=True)
class Altered:
    """Something that the cloud says otherwise than it must be, with both values; `start` is the line's interval."""

    start: int | None
    what: str
    said: str
    own: str

    def plain(self) -> dict[str, str | None]:
        """Return it as the answer of an action."""
        return {"start": _time(self.start), "what": self.what, "said": self.said, "own": self.own}


@dataclass(frozen=True, slots=True)
class Unwitnessed:
    """Something that may be as the cloud says, but this site holds nothing to hold it against."""

    start: int | None
    what: str

    def plain(self) -> dict[str, str | None]:
        """Return it as the answer of an action."""
        return {"start": _time(self.start), "what": self.what}


@dataclass(frozen=True, slots=True)
class Report:
    """How much was looked at and what came of it."""

    lines: int
    checked: int
    altered: tuple[Altered, ...]
    unwitnessed: tuple[Unwitnessed, ...]

    @property
    def verified(self) -> bool:
        """There was something to verify, and nothing of it is otherwise than it must be."""
        return self.lines > 0 and not self.altered


type Finding = Altered | Unwitnessed


class Findings:
    """Collects findings, and counts the checks that were made."""

    def __init__(self) -> None:
        """Begin with none."""
        self.checked = 0
        self.found: list[Finding] = []

    def equal(self, start: int | None, what: str, said: object, must: object) -> bool:
        """Check one value; tell whether it is what it must be."""
        self.checked += 1
        if said != must:
            self.found.append(Altered(start, what, _words(said), _words(must)))
        return said == must

    def altered(self, start: int | None, what: str, said: object, must: object) -> None:
        """Note what cannot be right."""
        self.checked += 1
        self.found.append(Altered(start, what, _words(said), _words(must)))

    def unwitnessed(self, start: int | None, what: str) -> None:
        """Note what could not be checked."""
        self.found.append(Unwitnessed(start, what))

    def report(self, lines: int) -> Report:
        """Return all that was found, each thing once."""
        once: Iterable[Finding] = dict.fromkeys(self.found)
        altered = tuple(item for item in once if isinstance(item, Altered))
        return Report(lines, self.checked, altered, tuple(item for item in once if isinstance(item, Unwitnessed)))


def _words(value: object) -> str:
    return "nothing" if value is None else str(value)


def _time(at: int | None) -> str | None:
    return None if at is None else time_text(at)
