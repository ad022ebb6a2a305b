"""How the pages of a maker's cloud follow one another, and where they end. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from cloud.endpoint import Body

from .headers import next_link
from .paths import Expression, found

PAGES_MAX = 200  # of one window of time: a maker's cloud whose pages never end is left there
CURSOR_LETTERS_MAX = 4000


class NoPaging(Body):
    """One answer holds everything."""

    kind: Literal["none"] = "none"


class NumberPaging(Body):
    """`{page}` counts from `first` by `step` (1, or the size of a page for an offset), until `items` is empty.

    With `size`, a page with fewer items is the last one.
    """

    kind: Literal["page"]
    first: Annotated[int, Field(ge=0, le=1)] = 1
    step: Annotated[int, Field(ge=1, le=100_000)] = 1
    items: Expression
    size: Annotated[int, Field(ge=1, le=100_000)] | None = None


class CursorPaging(Body):
    """`{cursor}` is what `next` says in the page before; empty at first. `keep`: also from one round to the next."""

    kind: Literal["cursor"]
    next: Expression
    keep: bool = False


class LinkPaging(Body):
    """The next page's URL stands at `next` in the page, or in its Link header."""

    kind: Literal["link"]
    next: Expression | None = None


Paging = Annotated[NoPaging | NumberPaging | CursorPaging | LinkPaging, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Step:
    """The page after one: what fills its places, or its whole URL."""

    values: Mapping[str, str]
    url: str | None = None

    @property
    def mark(self) -> tuple[str | None, ...]:
        """What tells one page from another."""
        return self.url, *self.values.values()


def first_step(paging: Paging, cursor: str) -> Step:
    """Return the first page; `cursor` is what an earlier round has kept."""
    match paging:
        case NumberPaging():
            return Step({"page": str(paging.first)})
        case CursorPaging():
            return Step({"cursor": cursor})
        case _:
            return Step({})


def reads_answers(paging: Paging) -> bool:
    """Tell whether a page must be JSON to know whether there is another."""
    return not isinstance(paging, NoPaging) and not (isinstance(paging, LinkPaging) and paging.next is None)


def next_step(paging: Paging, step: Step, data: Any, headers: Mapping[str, str]) -> Step | None:
    """Return the page after one, None after the last."""
    match paging:
        case NumberPaging():
            items = found(paging.items, data)
            count = len(items) if isinstance(items, list | dict) else 0
            if not count or (paging.size is not None and count < paging.size):
                return None
            return Step({"page": str(int(step.values["page"]) + paging.step)})
        case CursorPaging():
            cursor = _text(found(paging.next, data))
            return Step({"cursor": cursor}) if cursor and cursor != step.values["cursor"] else None
        case LinkPaging():
            url = next_link(headers.get("link", "")) if paging.next is None else _text(found(paging.next, data))
            return Step({}, url) if url else None
        case _:
            return None


def _text(value: Any) -> str:
    """Return a cursor as text; numbers are taken for one, anything else ends the pages."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    return str(value) if len(str(value)) <= CURSOR_LETTERS_MAX else ""
