"""A cable's records are judged as they come: by the key it had when it was set up, and no other."""

from .const import LOGGER
from .v2g import verify
from .wire import Refused, SignedInterval, follows, parse_ocmf, signed_interval


class RecordJudge:
    """Believes the records of one cable that are signed by the key known for it, and say what an interval must."""

    def __init__(self, name: str, serial: str | None, public_key: bytes) -> None:
        """Take the cable's name for the log, its serial number, and the key that was met first (DER)."""
        self._name = name
        self._serial = serial
        self._public_key = public_key
        self._last: SignedInterval | None = None
        self._doubted: str | None = None  # the reason that was logged last

    def __call__(self, text: str) -> bool:
        """Tell whether a record is believed; the log says once why one is not, and where one is missing before it."""
        judged = self._judged(text)
        if isinstance(judged, Refused):
            if judged.reason != self._doubted:
                LOGGER.warning("A record of %s is not believed: %s (%s)", self._name, judged.reason, judged.where)
            self._doubted = judged.reason
            return False
        if self._doubted is not None:
            LOGGER.info("The records of %s are believed again", self._name)
        self._doubted = None
        if self._last is not None and not follows(self._last, judged):
            LOGGER.info("Before record %s of %s something is missing", judged.number, self._name)
        self._last = judged
        return True

    def _judged(self, text: str) -> SignedInterval | Refused:
        record = parse_ocmf(text)
        if isinstance(record, Refused):
            return record
        if (refused := verify(record, self._public_key)) is not None:
            return refused
        if self._serial is not None and record.serial != self._serial:
            return Refused("not_an_interval", f"of another meter: {record.serial}")
        return signed_interval(record)
