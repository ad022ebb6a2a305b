"""Writes an extraction as Parquet, one row group after another: whole numbers, UTC times, repeated texts once. Pure.

The file's footer comes last and names every row group, so a file that broke off cannot be opened. The footer also says
how many rows there are and where the rest begins.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cloud.hub.extraction.row import Row, Window

from .form import ROW_NAMES, UNITS, WINDOW_NAMES

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS: Final = 65_536  # some 10 MB of rows in memory; fewer would make readers slow and files large
TEXTS: Final = ("community", "site", "device", "kind", "point", "quantity", "unit", "timed")
FLAGS: Final = ("estimated",)


class Sink:
    """A file that only grows, and gives what was written since it was last asked."""

    closed = False

    def __init__(self) -> None:
        """Begin empty."""
        self._parts: list[bytes] = []
        self._length = 0

    def write(self, data: bytes) -> int:
        """Take bytes in."""
        raw = bytes(data)
        self._parts.append(raw)
        self._length += len(raw)
        return len(raw)

    def tell(self) -> int:
        """Return how much was written."""
        return self._length

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def readable(self) -> bool:
        """Tell that nothing can be read."""
        return False

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def seekable(self) -> bool:
        """Tell that it has no way back."""
        return False

    def close(self) -> None:
        """Take nothing more."""
        self.closed = True

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        raw = b"".join(self._parts)
        self._parts.clear()
        return raw


class Columns:
    """A Parquet file."""

    content_type = "application/vnd.apache.parquet"
    suffix = "parquet"

    def __init__(self, community: str, *, windows: bool = False) -> None:
        """Begin for a community, with readings or with windows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._names = WINDOW_NAMES if windows else ROW_NAMES
        self._community, self._arrow, self._sink = community, pa, Sink()
        self._schema = pa.schema([(name, _kind(pa, name)) for name in self._names])
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._waiting: list[tuple[Any, ...]] = []

    def begin(self) -> bytes:
        """Return the head."""
        return self._sink.taken()

    def add(self, rows: Sequence[Row] | Sequence[Window]) -> bytes:
        """Return the row groups that are full now."""
        self._waiting.extend(rows)
        while len(self._waiting) >= GROUP_ROWS:
            self._write(self._waiting[:GROUP_ROWS])
            del self._waiting[:GROUP_ROWS]
        return self._sink.taken()

    def end(self, count: int, following: str | None) -> bytes:
        """Return the last row group and the footer."""
        if self._waiting:
            self._write(self._waiting)
        self._waiting = []
        said = {"complete": str(following is None).lower(), "rows": str(count), "next": following or ""}
        self._writer.add_key_value_metadata(said)
        self._writer.close()
        return self._sink.taken()

    def _write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        pa = self._arrow
        ms, site, device, kind, point, quantity, *others = zip(*rows, strict=True)
        community, units = (self._community,) * len(rows), [UNITS[name] for name in quantity]
        columns = [community, site, device, kind, point, quantity, units, ms, *others]
        arrays = [
            pa.array(column, pa.string()).dictionary_encode() if name in TEXTS else pa.array(column, _kind(pa, name))
            for name, column in zip(self._names, columns, strict=True)
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema), row_group_size=GROUP_ROWS)


def _kind(pa: Any, name: str) -> pa.DataType:
    if name in TEXTS:
        return pa.dictionary(pa.int32(), pa.string())
    if name in FLAGS:
        return pa.bool_()
    return pa.timestamp("ms", tz="UTC") if name == "measured_at" else pa.int64()
