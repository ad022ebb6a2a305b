"""What entries about cables are made from, in canonical bytes: an audit, and who is concerned, recompute them alone."""

from collections.abc import Sequence
from dataclasses import dataclass
import json

from cloud.wire import digest, time_text, to_bytes

from .legs import GridPrices, host_leg
from .reward import Rate, Reward, reward

PERIOD_DIGITS = 32  # 128 bits


@dataclass(frozen=True, slots=True)
class Record:
    """A signed record by its number, with the digest of its text, and the energy it says went each way."""

    number: int
    hash: str
    import_wh: int
    export_wh: int


@dataclass(frozen=True, slots=True)
class Period:
    """A period of a cable that was judged finally, with the signed records its energy comes from.

    `energy_wh` is towards the car; `host` is the owner of the tap it was plugged in below.
    """

    community: str
    site: str
    start: int
    seconds: int
    cable: str
    host: str
    driver_community: str | None
    driver: str | None
    connected: bool
    energy_wh: int
    witness: str | None
    records: tuple[Record, ...]

    @property
    def signed_wh(self) -> int:
        """What the records add up to."""
        return sum(record.import_wh - record.export_wh for record in self.records)

    @property
    def name(self) -> str:
        """What the entry of its reward is called: it tells neither cable nor place to who does not know both."""
        return period_name(self.community, self.site, self.start, self.cable)


def period_name(community: str, site: str, start: int, cable: str) -> str:
    """Return the name of a period that tells nothing of it."""
    return digest(to_bytes([community, site, time_text(start), cable]))[:PERIOD_DIGITS]


@dataclass(frozen=True, slots=True)
class Leg:
    """A host's leg of an interval, as it stands after a revision: for which energy, at which net and prices.

    `settled_revision` is the correction of the interval that `net_wh` comes from, 0 where it was never corrected;
    `before_micro` is what earlier revisions have posted.
    """

    community: str
    start: int
    host: str
    revision: int
    settled_revision: int
    net_wh: int
    cable_wh: int
    prices: GridPrices
    before_micro: int

    @property
    def leg_micro(self) -> int:
        """What the host is owed for the interval in all."""
        return host_leg(self.net_wh, self.cable_wh, self.prices)

    @property
    def posted_micro(self) -> int:
        """What this revision moves."""
        return self.leg_micro - self.before_micro

    @property
    def figures(self) -> dict[str, int]:
        """All that it was worked out from and came to, as its document, its row and the audit name it."""
        return {
            "settled_revision": self.settled_revision,
            "net_wh": self.net_wh,
            "cable_wh": self.cable_wh,
            "grid_buy_micro_per_wh": self.prices.buy_micro_per_wh,
            "grid_sell_micro_per_wh": self.prices.sell_micro_per_wh,
            "leg_micro": self.leg_micro,
            "before_micro": self.before_micro,
        }


def leg_document(leg: Leg, blind: str, periods: Sequence[Period]) -> bytes:
    """Return what the entry of a leg is made from; the host stands in it by the name in the interval's document."""
    ordered = sorted(periods, key=lambda item: (item.site, item.cable))
    return to_bytes(
        {
            "v": 1,
            "kind": "v2g-host",
            "community": leg.community,
            "start": time_text(leg.start),
            "host": blind,
            "revision": leg.revision,
            **leg.figures,
            "cables": [[item.site, item.cable, item.energy_wh, _records(item.records)] for item in ordered],
        }
    )


@dataclass(frozen=True, slots=True)
class Earned:
    """What a period earns the driver: by which rate, and whether the basic amount was still due."""

    period: Period
    rate: Rate
    base_due: bool

    @property
    def reward(self) -> Reward:
        """The amounts."""
        return reward(self.rate, self.period.energy_wh, connected=self.period.connected, base_due=self.base_due)


def reward_document(community: str, earned: Earned) -> bytes:
    """Return what the entry of a reward in the driver's community is made from; the driver is not named."""
    period = earned.period
    return to_bytes(
        {
            "v": 1,
            "kind": "v2g-reward",
            "community": community,
            "period": period.name,
            "host_community": period.community,
            "site": period.site,
            "cable": period.cable,
            "start": time_text(period.start),
            "seconds": period.seconds,
            "connected": period.connected,
            "energy_wh": period.energy_wh,
            "witness": period.witness,
            "base_due": earned.base_due,
            "base_micro": earned.rate.base_micro,
            "price_micro_per_wh": earned.rate.price_micro_per_wh,
            "reward_micro": earned.reward.micro,
            "records": _records(period.records),
        }
    )


def _records(records: Sequence[Record]) -> list[list[int | str]]:
    return [[record.number, record.hash] for record in sorted(records, key=lambda item: item.number)]


def records_text(records: Sequence[Record]) -> str:
    """Return records as they are kept beside a period."""
    return json.dumps([[item.number, item.hash, item.import_wh, item.export_wh] for item in records])


def read_records(text: str) -> tuple[Record, ...]:
    """Read records as they are kept beside a period."""
    return tuple(Record(*item) for item in json.loads(text))
