"""A reading as it is handed out, and where an extraction stands between two of them. Pure."""

from typing import Final, NamedTuple

type Row = tuple[int, str | None, str, str, str, str, int, int, str, int]
"""measured_ms, site, device, kind, point, quantity, seconds, value, timed, revision.

A bare tuple: there are millions of them, and every name would cost a tenth of the whole.
"""

type Window = tuple[int, str | None, str, str, str, str, int, int, int | None, int | None, int, int | None, bool]
"""start_ms, site, device, kind, point, quantity, seconds, value, least, most, count, change, estimated."""

KIND_OF_TAPS: Final = "tap"  # of the taps of sites, whose readings come in signed batches
MEASURED: Final = 0  # where it stands, in a row as in a window
VALUE: Final = 7


class Position(NamedTuple):
    """A place in the order of all readings of a community: time, then stream, then the stream's own key.

    It lies behind the reading of that key, and before every reading of that time and stream where the key is empty.
    """

    ms: int
    stream: int
    key: tuple[str, ...] = ()
