"""One cable at two places: what it signed and what sites say, laid side by side.

Honest cables move, also within an interval, and what they signed comes late: so a site's report of an interval only
says that the cable was there at some moment of it. What a cable signed says where it was all the time; and one that
was plugged in once and is reported since then was there without a break.

Only what a cable signed is proof, for anybody who knows its number can say that it is with them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .signed import Presence, Signed

SECONDS_AT_TWO = 60  # more than clocks are off
SET_BACK_SECONDS = 600  # so far in all a cable's own clock may be set back while its numbers and registers go on
IN_A_ROW = 3  # intervals reported by two sites at once: nobody carries a cable to and fro in each of so many

type Span = tuple[int, int]
type Basis = Literal["signed", "reported"]


@dataclass(frozen=True, slots=True)
class TwoPlaces:
    """That a cable was at two sites at a time: from when, for how many seconds, by whose word, and how it shows.

    `signed`: the cable's key signed for both, so there are two that have it. `reported`: sites say so, and at least one
    of them may be wrong or lie.
    """

    sites: tuple[str, str]
    at: int
    seconds: int
    basis: Basis
    detail: str


def signed_at_two(signed: Iterable[Signed]) -> TwoPlaces | None:
    """Return the first proof that two sign with one key, each at a site of its own; None where one cable may have."""
    stays = defaultdict[str, list[Span]](list)
    for site, span in _signed_stays(signed):
        stays[site].append(span)
    return _both_stay({site: merged(spans) for site, spans in stays.items()}, "signed")


def said_at_two(signed: Iterable[Signed], presence: Iterable[Presence]) -> TwoPlaces | None:
    """Return where sites say that a cable was while it was elsewhere; None where one alone can have been everywhere."""
    listed = list(presence)
    reported = _by_site(item for item in listed if item.seconds)
    stays = defaultdict[str, list[Span]](list)
    for site, span in (*_signed_stays(signed), *_visited(listed, reported)):
        stays[site].append(span)
    whole = {site: merged(spans) for site, spans in stays.items()}
    found = _both_stay(whole, "reported") or _reported_elsewhere(whole, reported)
    return found or _both_reported(reported, listed)


def _signed_stays(signed: Iterable[Signed]) -> Iterable[tuple[str, Span]]:
    """Yield where a cable signed to be, and when.

    Where its numbers and registers go on though time does not, its clock was set back, and it cannot have been
    elsewhere in the time that comes twice; unless that is more than clocks are set back by.
    """
    before: Signed | None = None
    past, back = 0, 0
    for item in sorted((item for item in signed if item.refused is None), key=lambda item: (item.number, item.start)):
        if before is None or not _goes_on(before, item):
            past, back = 0, 0
        elif item.start < before.end:
            back += before.end - item.start
        start = item.start if back > SET_BACK_SECONDS else max(item.start, past)
        if item.site is not None and start < item.end:
            yield item.site, (start, item.end)
        before, past = item, max(past, item.end)


def _goes_on(before: Signed, item: Signed) -> bool:
    """Tell whether a record begins with the next number where the one before it ended in both registers."""
    ended = before.number + 1, before.import_to_wh, before.export_to_wh
    return ended == (item.number, item.import_from_wh, item.export_from_wh)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that touch made one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _by_site(presence: Iterable[Presence]) -> Mapping[str, list[Span]]:
    found = defaultdict[str, list[Span]](list)
    for item in presence:
        found[item.site].append((item.start, item.end))
    return {site: sorted(spans) for site, spans in sorted(found.items())}


def _visited(presence: Sequence[Presence], reported: Mapping[str, list[Span]]) -> Iterable[tuple[str, Span]]:
    """Yield since when a cable stayed at a site: plugged in once, reported since, until the last report begins."""
    runs = {site: _unbroken(spans) for site, spans in reported.items()}
    plugged = sorted((item.site, item.start) for item in presence if not item.seconds)
    for number, (site, at) in enumerate(plugged):
        again = plugged[number + 1][1] if number + 1 < len(plugged) and plugged[number + 1][0] == site else None
        for start, end, last in runs.get(site, ()):
            if start <= at < end and at < last and not (again is not None and again < end):
                yield site, (at, last)


def _unbroken(spans: Sequence[Span]) -> list[tuple[int, int, int]]:
    """Return unbroken runs of intervals: their start and end, and where the last interval begins."""
    return [(start, end, max(begin for begin, _ in spans if start <= begin < end)) for start, end in merged(spans)]


def _both_stay(stays: Mapping[str, list[Span]], basis: Basis) -> TwoPlaces | None:
    sites = sorted(stays)
    for number, first in enumerate(sites):
        for second in sites[number + 1 :]:
            for span in stays[first]:
                for other in stays[second]:
                    start, end = max(span[0], other[0]), min(span[1], other[1])
                    if end - start > SECONDS_AT_TWO:
                        return TwoPlaces((first, second), start, end - start, basis, "it stayed at both")
    return None


def _reported_elsewhere(stays: Mapping[str, list[Span]], reported: Mapping[str, list[Span]]) -> TwoPlaces | None:
    for site, spans in stays.items():
        for other, intervals in reported.items():
            within = [span for span in intervals if any(start <= span[0] and span[1] <= end for start, end in spans)]
            seconds = sum(end - start for start, end in within)
            if other != site and seconds > SECONDS_AT_TWO:
                words = f"it stayed at {site}, {other} reported it"
                return TwoPlaces((site, other), within[0][0], seconds, "reported", words)
    return None


def _both_reported(reported: Mapping[str, list[Span]], presence: Iterable[Presence]) -> TwoPlaces | None:
    """Find intervals in a row that two sites report both: it would have been carried over in each of them.

    Carrying it over is plugging it in, which sites tell: so many pluggings in explain so many intervals.
    """
    plugged = [(item.site, item.start) for item in presence if not item.seconds]
    sites = sorted(reported)
    for number, first in enumerate(sites):
        for second in sites[number + 1 :]:
            common = [span for span in reported[first] if _touches(span, reported[second])]
            for start, end in merged(common):
                inside = [span for span in common if start <= span[0] < end]
                carried = sum(site in (first, second) and start <= at < end for site, at in plugged)
                seconds = sum(span[1] - span[0] for span in inside[1:-1])
                if len(inside) >= IN_A_ROW and carried < len(inside) and seconds > SECONDS_AT_TWO:
                    words = "both reported it all the time"
                    return TwoPlaces((first, second), inside[0][0], seconds, "reported", words)
    return None


def _touches(span: Span, others: Iterable[Span]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)


@dataclass(frozen=True, slots=True)
class Rehomed:
    """That a site claims for itself what the cable signed to have moved at another one."""

    community: str
    site: str
    at: int
    records: tuple[int, ...]
    energy_wh: int
    signed_for: str


def rehomed(signed: Sequence[Signed], claims: Iterable[Presence], missing: Sequence[Span]) -> list[Rehomed]:
    """Return the claims to energy that the cable signed to have moved at another site.

    A claim is judged when everything the cable signed of its time is here: records up to its end, none missing. Where
    the energy is another one, the site does not claim that record: then there may be a second cable.
    """
    found = []
    numbered = sorted((item for item in signed if item.refused is None), key=lambda item: item.number)
    for claim in claims:
        if not claim.seconds or not claim.energy_wh:
            continue
        within = [item for item in numbered if item.start < claim.end and item.end > claim.start]
        sites = {item.site for item in within if item.site is not None}
        if not sites or claim.site in sites or within[-1].end < claim.end or _is_missing(within, missing):
            continue
        if abs(sum(item.energy_wh for item in within) - claim.energy_wh) <= _tolerance_wh(claim.energy_wh):
            numbers = tuple(item.number for item in within)
            found.append(Rehomed(claim.community, claim.site, claim.start, numbers, claim.energy_wh, min(sites)))
    return found


def _is_missing(within: Sequence[Signed], missing: Sequence[Span]) -> bool:
    """Tell whether a number next to these records, or between them, has not come."""
    first, last = within[0].number - 1, within[-1].number + 1
    return any(start <= last and end >= first for start, end in missing)


def _tolerance_wh(energy_wh: int) -> int:
    return max(2, abs(energy_wh) // 100)
