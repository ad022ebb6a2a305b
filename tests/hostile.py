"""A host who owns what its site says: it changes the signed records of a cable where the site hands them on.

The site signs its batches with its own key, so whatever its host makes of it is genuine as the site's word. What a
cable signed is not the host's to change: each trick here is one that the cloud must see through.
"""

from collections.abc import Callable, Sequence
import json
from typing import Any

from custom_components.commonwatt.link import Outbox

EXPORT_BEGIN, EXPORT_END = 1, 3  # of a record's four readings

type Trick = Callable[[Sequence[str]], Sequence[str]]


class HostileHost:
    """Turns the records of one site's outbox into others; `seen` are those that the cable gave."""

    def __init__(self, outbox: Outbox, trick: Trick) -> None:
        self.seen: list[str] = []
        self.trick: Trick | None = trick
        self._keep = outbox.keep_records
        outbox.keep_records = self._keep_others  # type: ignore[method-assign]

    def repent(self) -> None:
        """Hand everything on as it is from now on."""
        self.trick = None

    def _keep_others(self, cable: str, texts: Sequence[str], through: int, now: int) -> bool:
        self.seen += texts
        return self._keep(cable, list(texts if self.trick is None else self.trick(texts)), through, now)


def dropping(texts: Sequence[str]) -> Sequence[str]:
    """Hand on what nothing flowed in: what the car took or gave is kept back."""
    return [text for text in texts if not moved_wh(text)]


def scaling(percent: int) -> Trick:
    """Make more, or less, of what was given back to the house."""

    def trick(texts: Sequence[str]) -> Sequence[str]:
        return [_changed(text, lambda payload: _scale(payload, percent)) for text in texts]

    return trick


def rehoming(site: str) -> Trick:
    """Let the cable have been at another site."""

    def trick(texts: Sequence[str]) -> Sequence[str]:
        return [_changed(text, lambda payload: payload.update(CT="CBIDC", CI=site)) for text in texts]

    return trick


def replaying(texts_of_old: Sequence[str]) -> Trick:
    """Hand on old records, word for word, in place of the new ones."""

    def trick(texts: Sequence[str]) -> Sequence[str]:
        return [text for text in texts if not moved_wh(text)] + list(texts_of_old)

    return trick


def payload_of(text: str) -> dict[str, Any]:
    """Return what a record says."""
    payload: dict[str, Any] = json.loads(text.split("|")[1])
    return payload


def moved_wh(text: str) -> int:
    """Return what a record says was moved, either way."""
    readings = payload_of(text)["RD"]
    return int(readings[2]["RV"] - readings[0]["RV"] + readings[EXPORT_END]["RV"] - readings[EXPORT_BEGIN]["RV"])


def _scale(payload: dict[str, Any], percent: int) -> None:
    readings = payload["RD"]
    given = readings[EXPORT_END]["RV"] - readings[EXPORT_BEGIN]["RV"]
    readings[EXPORT_END]["RV"] = readings[EXPORT_BEGIN]["RV"] + given * percent // 100


def _changed(text: str, change: Callable[[dict[str, Any]], object]) -> str:
    """Return a record that says something else under the signature of the old one: nobody has the cable's key."""
    head, _, signed = text.split("|")
    payload = payload_of(text)
    change(payload)
    return "|".join((head, json.dumps(payload, separators=(",", ":")), signed))
