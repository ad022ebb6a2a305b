"""A record that a site handed on, held against the cable it is said to be of: kept, known already, or a finding."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from cloud.ingest.cables.store import Arrived
from cloud.v2g.cables.signature import verify
from cloud.wire import Ocmf, Refused, SignedInterval, digest, parse_ocmf, signed_interval
from cloud.wire.strict import INTEGER_MAX

from .signed import Finding, FindingKind, Signed

DETAIL_LETTERS_MAX = 300


@dataclass(frozen=True, slots=True)
class Wrong:
    """A record that is not the cable's own word, or not this cable's."""

    kind: FindingKind
    number: int | None
    at: int
    detail: str


def read_record(arrived: Arrived, key: ec.EllipticCurvePublicKey, now: int) -> Signed | Wrong:
    """Return what a cable signed, by the key that is registered for it; or what is wrong with the record.

    One that is genuine and cannot be used (the meter was not sure of its clock, say) is kept without energy: its
    number is not missing.
    """
    record = parse_ocmf(arrived.ocmf)
    if isinstance(record, Refused):
        return Wrong("forged", None, now, f"no record: {record.reason} ({record.where})")
    at = record.readings[0].at_ms // 1000
    if record.serial != arrived.cable:
        return Wrong("wrong-serial", record.number, at, f"it is of {record.serial}")
    refused = verify(record, key)
    if refused is not None:
        return Wrong("forged", record.number, at, f"{refused.reason} ({refused.where})")
    if record.context != "T" or not 0 < record.number <= INTEGER_MAX:
        return Wrong("unusable", None, at, "it is not one of the cable's intervals")
    return _signed(arrived, record, signed_interval(record))


def _signed(arrived: Arrived, record: Ocmf, interval: SignedInterval | Refused) -> Signed:
    told = _nothing(record) if isinstance(interval, Refused) else interval
    latitude, longitude = record.place or (None, None)
    return Signed(
        cable=arrived.cable,
        number=record.number,
        site=record.site,
        start=told.start,
        seconds=told.seconds,
        import_wh=told.import_wh,
        export_wh=told.export_wh,
        import_from_wh=told.import_from_wh,
        export_from_wh=told.export_from_wh,
        latitude=latitude,
        longitude=longitude,
        vehicle=record.vehicle,
        user=record.user,
        delivered_community=arrived.community,
        delivered_site=arrived.site,
        refused=f"{interval.reason} ({interval.where})" if isinstance(interval, Refused) else None,
        payload_hash=digest(record.payload),
    )


def _nothing(record: Ocmf) -> SignedInterval:
    """Return the time that an unusable record is about, without energy."""
    start, end = record.readings[0].at_ms // 1000, record.readings[-1].at_ms // 1000
    return SignedInterval(record.serial, record.number, record.user, start, max(0, end - start), 0, 0, 0, 0)


def finding_of(wrong: Wrong, arrived: Arrived, now: int) -> Finding:
    """Return the finding, under a name that is the same when the same is found again."""
    return Finding(
        finding=f"{wrong.kind}.{digest(f'{arrived.community} {arrived.site} {arrived.ocmf}'.encode())[:32]}",
        kind=wrong.kind,
        community=arrived.community,
        site=arrived.site,
        number=wrong.number,
        through=None,
        at=wrong.at,
        found_at=now,
        detail=wrong.detail[:DETAIL_LETTERS_MAX],
        evidence=arrived.ocmf,
    )


def against_neighbours(item: Signed, before: Signed | None, after: Signed | None) -> Wrong | None:
    """Say what does not go on between a record and those with the numbers next to its own, None if all does.

    An interval begins where the one before it ended: in its registers always, and in time never before that.
    """
    for first, second in ((before, item), (item, after)):
        if first is None or second is None or first.refused or second.refused:
            continue
        moved = second.import_from_wh - first.import_to_wh, second.export_from_wh - first.export_to_wh
        place = f"between {first.number} and {second.number}"
        if min(moved) < 0:
            return Wrong("backward", item.number, item.start, f"registers went back by {-min(moved)} Wh {place}")
        if second.start < first.end:
            return Wrong("backward", item.number, item.start, f"time went back by {first.end - second.start} s {place}")
        if max(moved) > 0:
            return Wrong("jump", item.number, item.start, f"{max(moved)} Wh are in no record {place}")
    return None
