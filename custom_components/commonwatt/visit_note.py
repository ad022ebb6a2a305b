"""The note of visits: what was asked, answered and wished of each cable, as it lies in the outbox over a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import json
from typing import Any

from . import wire
from .const import LOGGER
from .v2g.visit import Mode, Stay, Word

NOTE = "visits"
WORDS_MAX = 200  # of cables; the ones heard of last are kept


@dataclass(frozen=True, slots=True)
class KeptCable:
    """What is kept of the cable at a tap: when it answered last (s), and whether it must be let charge again."""

    serial: str
    mode: Mode
    stay: Stay | None
    seen_at: int
    resume: bool = False


@dataclass(frozen=True, slots=True)
class VisitNote:
    """Cables by tap, the cloud's words by serial number, and the body of the notice taken last."""

    cables: Mapping[str, KeptCable] = field(default_factory=dict)
    words: Mapping[str, Word] = field(default_factory=dict)
    notice: Mapping[str, Any] | None = None

    def text(self) -> str:
        """Return it as a text."""
        newest = sorted(self.words.items(), key=lambda item: -item[1].heard_at)[:WORDS_MAX]
        cables = {
            tap: {
                "serial": cable.serial,
                "mode": cable.mode,
                "seen_at": cable.seen_at,
                "resume": cable.resume,
                "stay": None if (stay := cable.stay) is None else [stay.plugged_at, stay.answered, stay.agreement],
            }
            for tap, cable in self.cables.items()
        }
        words = {
            serial: {"standing": wire.to_bytes(word.standing).decode(), "heard_at": word.heard_at}
            for serial, word in newest
        }
        return json.dumps({"cables": cables, "words": words, "notice": self.notice}, sort_keys=True)


def read_note(text: str | None) -> VisitNote:
    """Read what was kept; nothing where nothing was, or where another version wrote it: then the cloud is asked."""
    try:
        return VisitNote() if text is None else _read(json.loads(text))
    except (wire.WireError, ValueError, KeyError, TypeError, AttributeError) as error:
        LOGGER.warning("What was kept of the visits of cables cannot be read (%r); it begins anew", error)
        return VisitNote()


def _read(data: Mapping[str, Any]) -> VisitNote:
    cables = {
        tap: KeptCable(
            item["serial"],
            item["mode"],
            None if item["stay"] is None else Stay(*item["stay"]),
            item["seen_at"],
            item.get("resume", False),
        )
        for tap, item in data["cables"].items()
    }
    words = {
        serial: Word(wire.parse_standing(item["standing"].encode()), item["heard_at"])
        for serial, item in data["words"].items()
    }
    return VisitNote(cables, words, data["notice"])
