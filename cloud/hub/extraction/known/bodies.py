"""What may be asked of what there is to be read, and how it is told, as OpenAPI shows it."""

from typing import Annotated

from pydantic import Field

from cloud.endpoint import Body
from cloud.hub.extraction.bodies import SelectionQuery, TimeMs
from cloud.hub.extraction.row import Position

KNOWN_MAX = 500  # systems or sites looked at for one page
SINCE_HOURS_MAX = 31 * 24

# behind which system or site a page begins: first those of the hub, then the sites with their taps
type Behind = Annotated[str, Field(pattern=r"^([01]/[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$")]


class KnownQuery(SelectionQuery):
    """Which systems are meant, a page of them."""

    after: Annotated[Behind, Field(description="`next` of the page before")] = ""
    limit: Annotated[int, Field(ge=1, le=KNOWN_MAX)] = 100


class LatestQuery(KnownQuery):
    """Which systems are meant, and how old their newest readings may be."""

    hours: Annotated[int, Field(ge=1, le=SINCE_HOURS_MAX, description="older ones are left out")] = 24


class KnownItem(Body):
    """A system or tap that may be read; `first` and `last` are when it measured first and last."""

    device: str
    kind: str
    site: str | None
    maker: str | None
    model: str | None
    latitude_e6: int | None
    longitude_e6: int | None
    quantities: Annotated[list[str], Field(description="among its newest readings")]
    first: TimeMs | None
    last: TimeMs | None


class KnownAnswer(Body):
    """A page of what may be read; `next` is null on the last one, a page may be shorter than was asked for."""

    devices: list[KnownItem]
    next: str | None


def behind(text: str) -> Position:
    """Read where a page begins."""
    stream, _, name = text.partition("/")
    return Position(0, int(stream), (name,)) if text else Position(0, 0, ("",))


def behind_text(position: Position | None) -> str | None:
    """Write where the next page begins."""
    return None if position is None else f"{position.stream}/{position.key[0]}"
