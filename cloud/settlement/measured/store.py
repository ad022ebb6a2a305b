"""Reads what was measured in many intervals by one statement: a batch that comes meanwhile is in it whole or not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, select

from cloud.database import bucket_of
from cloud.ingest.batches.store import batch_table
from cloud.ingest.readings.store import reading_table
from cloud.settlement.evidence import BatchName

from .reading import Measured

_r, _b = reading_table.c, batch_table.c
BATCH_OF_READING = and_(
    *(_b[name] == _r[name] for name in ("bucket", "community", "site", "epoch", "seq")),
)


def measured(conn: Connection, community: str, starts: Sequence[int]) -> list[Measured]:
    """Return every reading of the intervals that begin then."""
    where = (_r.start, _r.site, _r.epoch, _r.seq, _b.hash)
    what = (_r.owner, _r.upstream_owner, _r.island, _r.private, _r.import_wh, _r.export_wh, _r.quality)
    rows = select(*where, *what).join_from(reading_table, batch_table, BATCH_OF_READING)
    rows = rows.where(_r.bucket == bucket_of(community), _r.community == community, _r.start.in_(starts))
    return [Measured._make(row) for row in conn.execute(rows)]


def batches_at(conn: Connection, community: str, starts: Sequence[int]) -> Mapping[int, list[BatchName]]:
    """Return the batches that the readings of each of these intervals come from."""
    named = select(_r.bucket, _r.community, _r.start, _r.site, _r.epoch, _r.seq).distinct()
    named = named.where(_r.bucket == bucket_of(community), _r.community == community, _r.start.in_(starts))
    n = named.subquery().c
    same = and_(*(_b[name] == n[name] for name in ("bucket", "community", "site", "epoch", "seq")))
    found: defaultdict[int, list[BatchName]] = defaultdict(list)
    for start, *name in conn.execute(select(n.start, n.site, n.epoch, n.seq, _b.hash).where(same)):
        found[start].append(BatchName(*name))
    return found
