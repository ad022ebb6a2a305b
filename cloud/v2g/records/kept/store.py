"""Takes what sites handed on into the facts of a cable, and keeps what is found; the same twice changes nothing."""

from collections.abc import Iterable, Sequence
import json

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection

from cloud.ingest.cables.store import Arrived, Reported, claims_with, handled, is_reported
from cloud.sites.store import community_of
from cloud.v2g.cables.cable import CLOUD, Cable
from cloud.v2g.cables.signature import key_of
from cloud.v2g.cables.store import cable_of
from cloud.v2g.cables.told.store import change_and_tell
from cloud.v2g.records import store
from cloud.v2g.records.findings import store as findings
from cloud.v2g.records.judge import Wrong, against_neighbours, finding_of, read_record
from cloud.v2g.records.places import Rehomed, Span, TwoPlaces, merged, rehomed, said_at_two, signed_at_two
from cloud.v2g.records.signed import Finding, Presence, Signed
from cloud.v2g.visits.store import Visited, told_number
from cloud.wire import digest

PERIODS_OF_GRACE = 2  # of the host's community: so long a number may be late before it is missing
LOOK_AROUND_SECONDS = 7200  # beside what has just come, for what shows only side by side
UNREPORTED_WH = 50  # less may be of a moment before a site knew that the cable was there
UNREPORTED_SECONDS = 3600  # two periods: a report may come so much later
DAY_SECONDS = 86_400


def keep_records(conn: Connection, cable: str, arrived: Sequence[Arrived], now: int) -> list[str]:
    """Take records that are said to be a cable's into its facts; return what each turned out to be.

    Nothing of a cable the cloud does not know is looked at; its records are looked at again once it is registered.
    """
    known = cable_of(conn, cable, locked=True)
    key = None if known is None else key_of(known.public_key)
    if known is None or not isinstance(key, ec.EllipticCurvePublicKey):
        return ["unknown-cable"] * len(arrived)
    awaited = store.awaited_of(conn, cable, known.first_number)
    outcomes: list[str] = []
    spans: list[tuple[int, int]] = []
    for item in arrived:
        found = read_record(item, key, now)
        if isinstance(found, Wrong):
            findings.add_finding(conn, cable, finding_of(found, item, now))
            outcomes.append(found.kind)
            continue
        outcomes.append(_keep(conn, item, found, now))
        awaited = awaited.came(found.number)
        spans.append((found.start, min(found.end, found.start + store.RECORD_SECONDS_MAX)))
    if spans:
        findings.note_missing(conn, cable, awaited.missing, due_at=_due_at(conn, arrived[-1].community, now), now=now)
        look_around(conn, known, spans, now)
    return outcomes


def _keep(conn: Connection, arrived: Arrived, item: Signed, now: int) -> str:
    before = store.signed_of(conn, item.cable, item.number)
    if before is not None:
        wrong = _told_before(conn, arrived, item, before)
        if wrong is None:
            return "known"
        findings.add_finding(conn, item.cable, finding_of(wrong, arrived, now))
        return wrong.kind
    store.add_signed(conn, item, batch=arrived.place[:2], raw=arrived.ocmf, now=now)
    if item.refused is not None:
        wrong = Wrong("unusable", item.number, item.start, item.refused)
    else:
        neighbours = (store.signed_of(conn, item.cable, number) for number in (item.number - 1, item.number + 1))
        wrong = against_neighbours(item, *neighbours)
    if wrong is not None:
        findings.add_finding(conn, item.cable, finding_of(wrong, arrived, now))
    return "stored"


def _told_before(conn: Connection, arrived: Arrived, item: Signed, before: Signed) -> Wrong | None:
    """Say what is wrong with a number that comes again.

    The same record may come again: from the site it names, or from the next one, which goes on where it was told to.
    A site that hands on what it was told is here, or that never asked and claims energy with it, replays it.
    """
    if before.payload_hash != item.payload_hash:
        return Wrong("altered", item.number, item.start, "the key signed something else under this number before")
    if arrived.site in (item.site, before.delivered_site):
        return None
    told = told_number(conn, arrived.community, arrived.site, item.cable)
    if told is None and claims_with(conn, arrived):
        return Wrong("replayed", item.number, item.start, "handed on again with a claim to energy")
    if told is not None and told >= item.number:
        return Wrong("replayed", item.number, item.start, f"handed on again by a site that was told all up to {told}")
    return None


def _due_at(conn: Connection, community: str, now: int) -> int:
    """Return until when what is missing now may come late."""
    settings = community_of(conn, community)
    assert settings is not None
    return now + PERIODS_OF_GRACE * settings.interval_seconds


def find_gaps(conn: Connection, cable: str, now: int) -> int:
    """Note that records of a cable were not delivered though later ones were; return how many spans."""
    spans = findings.gaps_found(conn, cable, now)
    for first, last in spans:
        after = store.signed_of(conn, cable, last + 1)
        before = store.signed_of(conn, cable, first - 1)
        assert after is not None
        found = Finding(
            finding=f"gap.{first}.{last}",
            kind="gap",
            community=after.delivered_community,
            site=after.delivered_site,
            number=first,
            through=last,
            at=after.start if before is None else before.end,
            found_at=now,
            detail=f"{last - first + 1} records are missing before number {last + 1}",
            evidence=None,
        )
        findings.add_finding(conn, cable, found)
    return len(spans)


def keep_presence(conn: Connection, cable: str, came: Sequence[Reported | Visited], now: int) -> None:
    """Note where sites say a cable was."""
    known = cable_of(conn, cable, locked=True)
    spans = []
    for item in came:
        at = _presence(item)
        if at is not None:
            store.add_presence(conn, cable, at, now)
            spans.append((at.start, at.end))
    if known is not None and spans:
        look_around(conn, known, spans, now)


def _presence(item: Reported | Visited) -> Presence | None:
    if isinstance(item, Visited):
        return Presence(item.community, item.site, item.plugged_at, 0, 0)
    if not item.connected and not item.energy_wh:
        return None
    return Presence(item.community, item.site, item.start, item.seconds, item.energy_wh)


def look_around(conn: Connection, cable: Cable, spans: Iterable[Span], now: int) -> None:
    """Lay what a cable signed in these times beside what sites say of it.

    That two sign with its key stops it; that a site says otherwise than the cable is only found, or whoever knows a
    cable's number could stop it. What was before a person cleared it is not held against it again.
    """
    around = [(start - LOOK_AROUND_SECONDS, end + LOOK_AROUND_SECONDS) for start, end in spans]
    cleared_at = cable.since if cable.since > cable.registered_at else 0
    for start, end in merged(around):
        _look(conn, cable, (max(start, cleared_at), end), now)


def _look(conn: Connection, cable: Cable, span: Span, now: int) -> None:
    start, end = span
    signed = store.signed_between(conn, cable.cable, start, end)
    presence = [item for item in store.presence_between(conn, cable.cable, start, end) if item.start >= start]
    missing = store.missing_before(conn, cable.cable, store.newest_number(conn, cable.cable))
    elsewhere = rehomed(signed, presence, missing)
    for claim in elsewhere:
        findings.add_finding(conn, cable.cable, _rehomed(claim, now))
    claims = {(claim.site, claim.at) for claim in elsewhere}
    others = [item for item in presence if not item.seconds or (item.site, item.start) not in claims]
    _find_unreported(conn, cable.cable, signed, now)
    since = [item for item in (*signed, *_doubles(conn, cable, span, now)) if item.start >= start]
    if (proof := signed_at_two(since)) is not None:
        findings.add_finding(conn, cable.cable, _two_places(proof, now))
        current = cable_of(conn, cable.cable)
        if current is not None and current.state == "active":
            change_and_tell(conn, cable.cable, "two-places", by=CLOUD, note=_words(proof), now=now)
    elif (said := said_at_two(since, others)) is not None:
        findings.add_finding(conn, cable.cable, _two_places(said, now))


def _find_unreported(conn: Connection, cable: str, signed: Sequence[Signed], now: int) -> None:
    """Keep that sites have reported nothing of what the cable signed to have moved there, until they do."""
    open_ones = {item.number: item.finding for item in findings.findings_of(conn, cable, kind="unreported")}
    for item in signed:
        if item.site is None or abs(item.energy_wh) < UNREPORTED_WH or item.end > now - UNREPORTED_SECONDS:
            continue
        reported = is_reported(conn, cable, item.site, item.start, item.end)
        if reported and item.number in open_ones:
            findings.close_finding(conn, cable, open_ones[item.number], now)
        elif not reported:
            findings.add_finding(conn, cable, _unreported(item, now))


def _unreported(item: Signed, now: int) -> Finding:
    return Finding(
        finding=f"unreported.{item.number}",
        kind="unreported",
        community=None,
        site=item.site,
        number=item.number,
        through=None,
        at=item.start,
        found_at=now,
        detail=f"signed {item.energy_wh} Wh at {item.site}, which reports nothing of it",
        evidence=None,
    )


def _doubles(conn: Connection, cable: Cable, span: Span, now: int) -> Iterable[Signed]:
    """Yield what the cable's key signed under numbers that were signed before, of about this time."""
    key = key_of(cable.public_key)
    for found in findings.findings_of(conn, cable.cable, kind="altered"):
        if not (isinstance(key, ec.EllipticCurvePublicKey) and span[0] <= found.at < span[1]):
            continue
        if found.community is not None and found.site is not None and found.evidence is not None:
            again = read_record(Arrived(found.community, found.site, (0, 0, 0), cable.cable, found.evidence), key, now)
            if isinstance(again, Signed) and again.refused is None:
                yield again


def _rehomed(claim: Rehomed, now: int) -> Finding:
    return Finding(
        finding=f"re-homed.{claim.site}.{claim.at}",
        kind="re-homed",
        community=claim.community,
        site=claim.site,
        number=claim.records[0],
        through=claim.records[-1],
        at=claim.at,
        found_at=now,
        detail=f"claims {claim.energy_wh} Wh that the cable signed for {claim.signed_for}",
        evidence=None,
    )


def _two_places(found: TwoPlaces, now: int) -> Finding:
    """Return the finding: one a day for two sites. Where sites say so, it is about the one that says otherwise."""
    first, second = found.sites
    same = f"{found.basis} {first} {second} {found.at // DAY_SECONDS}"
    return Finding(
        finding=f"two-places.{digest(same.encode())[:32]}",
        kind="two-places",
        community=None,
        site=None if found.basis == "signed" else second,
        number=None,
        through=None,
        at=found.at,
        found_at=now,
        detail=_words(found),
        evidence=json.dumps({"basis": found.basis, "sites": found.sites, "at": found.at, "seconds": found.seconds}),
    )


def _words(found: TwoPlaces) -> str:
    first, second = found.sites
    return f"{found.basis}: at {first} and {second} for {found.seconds} s: {found.detail}"


def note_handled(conn: Connection, arrived: Sequence[Arrived], outcomes: Sequence[str], now: int) -> None:
    """Note with the batches what their records turned out to be: the second step, after the cable's facts stand."""
    for item, outcome in zip(arrived, outcomes, strict=True):
        handled(conn, item, outcome, now)
