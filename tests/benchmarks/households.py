"""Measured households: what their meters showed, period by period, and what of it a sub-meter stood behind."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
import gzip
import io
from itertools import pairwise
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

type Energies = npt.NDArray[np.float64]  # Wh, one for each period

DATA = Path(__file__).parent.parent / "data"
SOLAR_KW = 4  # on the homes whose sun is told per kW
SUBS = ("sub1_wh", "sub2_wh", "sub3_wh")
APPLIANCES = ("ev", "heat_pump", "freezer", "refrigerator", "dishwasher", "washing_machine")


@dataclass(frozen=True, slots=True)
class Home:
    """A measured home: the net of its mains, and of each circuit that has a meter (solar: negative).

    `rest` is a meter of all circuits that have none in the data: what the mains have beyond them, never below zero.
    With it everything behind the meter is measured, and where sub-meters showed more than the mains, they still do.
    """

    name: str
    seconds: int
    net: Energies
    circuits: tuple[Energies, ...]
    rest: Energies


def homes() -> tuple[Home, ...]:
    """Return the homes that are kept with the tests. An hour of an hourly one stands for a period, errors and all."""
    return (
        *(_konstanz(number) for number in (4, 5, 1)),
        _sceaux(),
        _load_and_solar(),
        *(_fontana(number) for number in (1, 4, 6)),
    )


def day_of_power() -> npt.NDArray[np.int64]:
    """Return a home's power in W for each second of a day: as it was told last, about every ten seconds."""
    changes = json.loads(gzip.decompress((DATA / "power_history" / "load_24h.json.gz").read_bytes()))
    times = [datetime.fromisoformat(at).astimezone(UTC).timestamp() for at, _ in changes]
    powers = np.array([power for _, power in changes], dtype=float)
    seconds = np.arange(times[0], times[-1])
    shown: npt.NDArray[np.int64] = np.rint(powers[np.searchsorted(times, seconds, side="right") - 1]).astype(np.int64)
    return shown


def minutes_of_power() -> npt.NDArray[np.int64]:
    """Return another home's power in W, minute by minute."""
    return np.array([round(float(row["kw"]) * 1000) for row in _rows("sceaux_1min")], dtype=np.int64)


def _rows(name: str) -> list[dict[str, str]]:
    text = gzip.decompress((DATA / "households" / f"{name}.csv.gz").read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text)))


def _home(name: str, seconds: int, net: Energies, circuits: tuple[Energies, ...]) -> Home:
    return Home(name, seconds, net, circuits, np.maximum(net - sum(circuits), 0))


def _konstanz(number: int) -> Home:
    """Turn registers into energies; an appliance without a value in an hour is among the rest."""
    rows = _rows(f"konstanz{number}_60min")

    def energies(column: str) -> Energies:
        registers = [float(row[column]) if row.get(column) else np.nan for row in rows]
        moved: Energies = np.nan_to_num(1000 * np.diff(registers))
        return moved

    net = energies("grid_import") - energies("grid_export")
    circuits = [energies(column) for column in APPLIANCES if column in rows[0]]
    if "pv" in rows[0]:
        circuits.append(-energies("pv"))
    return _home(f"konstanz{number}", 3600, net, tuple(circuits))


def _sceaux() -> Home:
    """Take whole half hours of minutes."""
    rows = _rows("sceaux_1min")
    minutes = np.array([(float(row["kw"]) * 1000 / 60, *(float(row[sub]) for sub in SUBS)) for row in rows])
    begins = [at for at, row in enumerate(rows) if row["time"][3:] in {"00", "30"}]
    whole = [minutes[first:after].sum(axis=0) for first, after in pairwise(begins) if after - first == 30]
    halves = np.array(whole).T
    return _home("sceaux", 1800, halves[0], tuple(halves[1:]))


def _load_and_solar() -> Home:
    """Take half hours that have a load; where only the sun is missing it is night."""
    rows = [row for row in _rows("load_pv_30min") if row["load_w"] and float(row["load_w"]) > 0]
    load = np.array([float(row["load_w"]) / 2 for row in rows])
    solar = np.array([float(row["pv_w"] or 0) / 2 for row in rows])
    return _home("load_pv", 1800, load - solar, (-solar,))


def _fontana(number: int) -> Home:
    rows = _rows(f"fontana{number}_60min")
    load = np.array([float(row["load_wh"]) for row in rows])
    solar = SOLAR_KW * np.array([float(row["solar_wh_per_kw"]) for row in rows])
    return _home(f"fontana{number}", 3600, load - solar, (-solar,))
