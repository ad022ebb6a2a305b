"""Records: what V2G cables signed, kept word for word until it is in a batch; the number reached is kept with it."""

from collections.abc import Iterator, Sequence
from sqlite3 import Connection

from ..wire import CableRecord, Incident, WireError, digest, to_bytes
from ..wire.batch import RECORDS_MAX
from ..wire.cable import cable_record
from .database import mark_of
from .keepsakes import keep as _keep, kept as _kept

WAITING_MAX = 5000  # in no batch yet: some 10 MB; what is more waits in the cable, which holds a month
BYTES_MAX = 256 * 1024  # of records in one batch: with all else that may ride along far below what a request takes
RECORD_BYTES_MAX = 8 * 1024  # on the wire, of one
INCIDENT_UNSENDABLE = "record-unsendable"

type Waiting = tuple[int, CableRecord]  # with its row


def keep(db: Connection, cable: str, texts: Sequence[str], through: int, now: int) -> tuple[bool, list[Incident]]:
    """Keep records of a cable and the number that its mailbox was read up to; the same record once.

    Return whether they are kept: nothing is, and the number stays, while too many wait. A text that no batch can carry
    is passed over, with an incident.
    """
    [waiting] = db.execute("SELECT count(*) FROM record WHERE seq IS NULL").fetchone()
    if texts and waiting >= WAITING_MAX:
        return False, []
    incidents = []
    for text in texts:
        if (reason := _unsendable(cable, text)) is not None:
            words = f"{cable}, up to record {through}: {reason}"
            incidents.append(Incident(now, INCIDENT_UNSENDABLE, None, words))
            continue
        row = (cable, digest(text.encode()), now)
        db.execute(
            "INSERT OR IGNORE INTO record (cable, hash, kept_at, ocmf, mark) VALUES (?, ?, ?, ?, ?)",
            (*row, text, mark_of(*row)),
        )
    _keep(db, f"record.{cable}", str(through))
    return True, incidents


def through(db: Connection, cable: str) -> int | None:
    """Return the number that a cable's mailbox was read up to; None for one that was never read."""
    reached = _kept(db, f"record.{cable}")
    return None if reached is None else int(reached)


def waiting(db: Connection) -> Iterator[list[Waiting]]:
    """Yield the records that are in no batch yet, as many at once as one batch takes, in the order they came."""
    portion: list[Waiting] = []
    size = 0
    for row, cable, ocmf in db.execute("SELECT id, cable, ocmf FROM record WHERE seq IS NULL ORDER BY id").fetchall():
        length = len(to_bytes({"cable": cable, "ocmf": ocmf}))
        if portion and (len(portion) == RECORDS_MAX or size + length > BYTES_MAX):
            yield portion
            portion, size = [], 0
        portion.append((row, CableRecord(cable, ocmf)))
        size += length
    if portion:
        yield portion


def sealed(db: Connection, records: Sequence[Waiting], epoch: int, seq: int) -> None:
    """Note the batch that records are in: from now on its bytes hold them, and here stays that they came."""
    db.executemany(
        "UPDATE record SET epoch = ?, seq = ?, ocmf = NULL WHERE id = ?", [(epoch, seq, row) for row, _ in records]
    )


def _unsendable(cable: str, text: str) -> str | None:
    try:
        cable_record({"cable": cable, "ocmf": text}, "record")
        length = len(to_bytes({"cable": cable, "ocmf": text}))
    except (WireError, UnicodeEncodeError) as error:
        return str(error)
    return None if length <= RECORD_BYTES_MAX else f"it has {length} bytes"
