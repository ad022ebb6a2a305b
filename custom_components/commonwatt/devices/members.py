"""Data files read member by member: whoever wrote one hears which file and which member is wrong, and why."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any


class Members:
    """One object of a data file. What is asked of it must be as asked; what nobody asked for is refused in the end."""

    def __init__(self, where: str, data: Any) -> None:
        """Take an object and where it stands, in words for its author."""
        if not isinstance(data, Mapping):
            raise ValueError(f"{where} must be an object")  # noqa: TRY004 a mistake in a file
        self.where = where
        self._data = data
        self._asked: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def wrong(self, name: str, reason: str) -> ValueError:
        """Return the error that says what is wrong with a member."""
        return ValueError(f"{self.where}: {name} {reason}")

    def text(self, name: str) -> str:
        """Return a text that is there and not empty."""
        value = self._required(name)
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "must be a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return a text, or None where it is left out or null."""
        return None if self._take(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """Return true or false; false where it is left out."""
        value = self._take(name, default=False)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """Return a whole number of a range."""
        value = self._required(name) if default is None else self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(name, f"must be a whole number from {least} to {most}")
        return value

    def whole_or_none(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number of a range, or None where it is left out."""
        return self.whole(name, least, most) if name in self else None

    def number(self, name: str, default: float | None = None) -> float:
        """Return a number, whole or not."""
        value = self._required(name) if default is None else self._take(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong(name, "must be a number")
        return value

    def one_of(self, name: str, words: Collection[str], default: str | None = None) -> str:
        """Return one of the words."""
        value = self._required(name) if default is None else self._take(name, default)
        if value not in words:
            raise self.wrong(name, f"must be one of {', '.join(sorted(words))}, not {value!r}")
        return str(value)

    def items(self, name: str) -> list[Any]:
        """Return a list; an empty one where it is left out."""
        value = self._take(name, default=[])
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        return value

    def anything(self, name: str) -> Any:
        """Return a member as it is; None where it is left out."""
        return self._take(name)

    def part(self, name: str) -> Iterator[tuple[str, Any]]:
        """Return the members of an object inside this one; none where it is left out."""
        value = self._take(name, default={})
        if not isinstance(value, Mapping):
            raise self.wrong(name, "must be an object")
        return iter(value.items())

    def done(self) -> None:
        """Refuse what nobody asked for: a member misspelt is a member left out."""
        if strange := sorted(set(self._data) - self._asked):
            raise ValueError(f"{self.where}: nobody knows {', '.join(strange)}")

    def _take(self, name: str, default: Any = None) -> Any:
        self._asked.add(name)
        return self._data.get(name, default)

    def _required(self, name: str) -> Any:
        if name not in self:
            raise self.wrong(name, "is missing")
        return self._take(name)
