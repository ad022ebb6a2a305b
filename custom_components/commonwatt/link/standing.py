"""What a site has to rewrite because the cloud says whose its taps are."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import BadSignature
from ..wire.transfer import TapStandings, parse_tap_standings
from .client import CloudClient
from .papers import Paper

PAPER_TAPS = "taps"  # there is one, replaced whenever the cloud says something else


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The owners to be written now, by tap, and when there is more to write."""

    due: Mapping[str, str]
    next_at: int | None


def rewriting(standings: TapStandings, owners: Mapping[str, str], now: float, interval_seconds: int) -> Rewriting:
    """Return what to rewrite of the owners that stand here, by tap.

    A tap that changes hands is rewritten within the interval before its boundary, so that a tree planted then is valid
    from that boundary on, or, after an absence, from the next one.
    """
    due: dict[str, str] = {}
    later: list[int] = []
    for tap, standing in standings.taps.items():
        if (here := owners.get(tap)) is None:
            continue  # it is gone from this site, and from the next tree
        wanted, change = standing.owner, standing.pending
        if change is not None:
            begins = change.not_before - interval_seconds
            if now < begins:
                later.append(begins)
            if now >= begins or here == change.owner:
                wanted = change.owner
        if here != wanted:
            due[tap] = wanted
    return Rewriting(due, min(later, default=None))


def standings_of(paper: Paper | None) -> TapStandings | None:
    """Return what the paper says that was kept last."""
    return None if paper is None else parse_tap_standings(paper.raw)


async def fetch_standings(client: CloudClient) -> tuple[TapStandings, bytes, str]:
    """Ask the cloud how the taps stand; return it, its raw bytes and the cloud's signature over them.

    Raises what CloudClient does, and WireError where it answers in words not known here.
    """
    raw, signature = await client.get_signed(f"/v1/sites/{client.site}/taps")
    standings = parse_tap_standings(raw)
    if standings.site != client.site:
        raise BadSignature("how the taps stand meant for something else")
    return standings, raw, signature
