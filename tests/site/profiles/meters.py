"""What meters show: addresses from a table nobody here wrote, words as their makers' documents say they are written."""

from collections.abc import Callable, Mapping
import csv
from dataclasses import dataclass, field
import json
from pathlib import Path
import struct
from typing import Any

from ..register_device import RegisterUnit

DATA = Path(__file__).parents[2] / "data" / "meters"

type Form = Callable[[float], list[int]]

# The table's names of measurements, and ours.
MEASUREMENTS = {
    **{f"VoltageL{n}": f"voltage_l{n}_v" for n in (1, 2, 3)},
    **{f"CurrentL{n}": f"current_l{n}_a" for n in (1, 2, 3)},
    **{f"PowerL{n}": f"power_l{n}_w" for n in (1, 2, 3)},
    "Voltage": "voltage_v",
    "Current": "current_a",
    "Power": "power_w",
    "Cosphi": "power_factor",
    "ApparentPower": "apparent_power_va",
    "ReactivePower": "reactive_power_var",
    "Frequency": "frequency_hz",
    "Import": "import_wh",
    "Export": "export_wh",
}
SHOWN: Mapping[str, float] = {
    "voltage_v": 229.5,
    "voltage_l1_v": 230.1,
    "voltage_l2_v": 231.2,
    "voltage_l3_v": 229.3,
    "current_a": 5.25,
    "current_l1_a": 1.25,
    "current_l2_a": 2.5,
    "current_l3_a": 0.75,
    "power_w": -1234.5,
    "power_l1_w": -600.5,
    "power_l2_w": -400,
    "power_l3_w": -234,
    "apparent_power_va": 1300,
    "reactive_power_var": 407.5,
    "power_factor": -0.95,
    "frequency_hz": 49.9,
    "import_wh": 12_345_600,
    "export_wh": 98_700,
}


def number(count: int, factor: float = 1, *, little: bool = False) -> Form:
    """Return how a value is written as a whole number of so many words, times a factor."""

    def words(value: float) -> list[int]:
        raw = round(value * factor) % (1 << (16 * count))
        split = [raw >> (16 * place) & 0xFFFF for place in range(count)]
        return split if little else split[::-1]

    return words


def float32(factor: float = 1) -> Form:
    """Return how a value is written as an IEEE 754 single, times a factor."""
    return lambda value: list(struct.unpack(">HH", struct.pack(">f", value * factor)))


def text(value: str, count: int) -> list[int]:
    """Return a text in so many words."""
    raw = value.encode().ljust(2 * count, b"\0")
    return [int.from_bytes(raw[place : place + 2]) for place in range(0, len(raw), 2)]


@dataclass(frozen=True)
class Meter:
    """A meter: its name in the table, the space it answers in, and how it writes what ends in which unit.

    `more` are words that stand in the maker's document and not in the table, `tells` what they mean; `left_out` are
    measurements of the table that the maker's document places elsewhere.
    """

    table: str
    space: str
    forms: Mapping[str, Form]
    requests: int
    limit: int = 125
    more: Mapping[tuple[str, int], list[int]] = field(default_factory=dict)
    tells: Mapping[str, Any] = field(default_factory=dict)
    serial: str | None = None
    firmware: str | None = None
    left_out: frozenset[str] = frozenset()

    def shown(self) -> dict[str, float]:
        """Return what it shows of the table, in our units."""
        return {name: SHOWN[name] for name in self._addresses()}

    def unit(self) -> RegisterUnit:
        """Return a unit with these registers."""
        unit = RegisterUnit({}, limit=self.limit)
        for name, address in self._addresses().items():
            unit.put(self.space, address, *self.form(name)(SHOWN[name]))
        for (space, address), words in self.more.items():
            unit.put(space, address, *words)
        return unit

    def form(self, name: str) -> Form:
        """Return how a quantity is written: by its name, or by its unit."""
        return self.forms[name] if name in self.forms else self.forms[name.rpartition("_")[2]]

    def _addresses(self) -> dict[str, int]:
        with (DATA / "registers.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["meter"] == self.table]
        found = {
            MEASUREMENTS[row["measurement"]]: int(row["address"]) for row in rows if row["measurement"] in MEASUREMENTS
        }
        return {name: address for name, address in found.items() if name not in self.left_out}


# Eastron: every value a float, most significant word first, energies in kWh; the serial number is holding register
# 64513, demand and its maximum are input registers 30085 and 30087.
EASTRON: dict[str, Form] = dict.fromkeys(("v", "a", "w", "va", "var", "factor", "hz"), float32()) | {
    "wh": float32(0.001)
}
SERIAL = {("holding", 0xFC00): [0x0123, 0x4567]}
DEMAND = {("input", 0x54): float32()(-1100.5), ("input", 0x56): float32()(4321)}
DEMANDS = {"demand_w": -1100.5, "demand_max_w": 4321}

# Carlo Gavazzi: least significant word first; V*10, A*1000, W*10, VA*10, var*10, PF*1000, Hz*10, kWh*10.
GAVAZZI: dict[str, Form] = {
    **dict.fromkeys(("v", "w", "va", "var"), number(2, 10, little=True)),
    "a": number(2, 1000, little=True),
    "factor": number(1, 1000),
    "hz": number(1, 10),
    "wh": number(2, 0.01, little=True),
}
GAVAZZI_POWERS = {("holding", 0x2A): [13_000, 0], ("holding", 0x2C): [4075, 0]}  # 1300 VA, 407.5 var
GAVAZZI_TELLS = {"apparent_power_va": 1300, "reactive_power_var": 407.5}

METERS: dict[str, Meter] = {
    "eastron_sdm630": Meter("sdm", "input", EASTRON, 1, 80, SERIAL | DEMAND, DEMANDS, "19088743"),
    "eastron_sdm72dm_v2": Meter("sdm72v2", "input", EASTRON, 2, 60, SERIAL, {}, "19088743"),
    "eastron_sdm72dm": Meter("sdm72", "input", EASTRON, 1, 60, SERIAL, {}, "19088743"),
    "eastron_sdm120": Meter("sdm120", "input", EASTRON, 2, 60, SERIAL | DEMAND, DEMANDS, "19088743"),
    # EM24-DIN protocol, table of instantaneous variables: 3Eh is the total, the table's 42h the partial counter;
    # 2Eh and 38h are the demand and its maximum, 1300h the serial number. At most 11 words in a request.
    "carlo_gavazzi_em24": Meter(
        "carlogavazzi-em24",
        "holding",
        GAVAZZI,
        3,
        11,
        GAVAZZI_POWERS
        | {("holding", 0x3E): [0xE240, 0x0001], ("holding", 0x2E): [11_005, 0], ("holding", 0x38): [43_210, 0]}
        | {("holding", 0x1300): text("BX1234567890A", 7)},
        GAVAZZI_TELLS | {"import_wh": 12_345_600, "demand_w": 1100.5, "demand_max_w": 4321},
        "BX1234567890A",
        left_out=frozenset({"import_wh"}),
    ),
    "carlo_gavazzi_em24_e1": Meter(
        "carlogavazzi-em24_e1",
        "holding",
        GAVAZZI,
        1,
        more=GAVAZZI_POWERS | {("holding", 0x5000): text("KY0420001002X", 7)},
        tells=GAVAZZI_TELLS,
        serial="KY0420001002X",
    ),
    "carlo_gavazzi_em340": Meter(
        "carlogavazzi-ex3x0",
        "holding",
        GAVAZZI,
        1,
        more=GAVAZZI_POWERS | {("holding", 0x5000): text("KS4010012001Y", 7)},
        tells=GAVAZZI_TELLS,
        serial="KS4010012001Y",
    ),
    # 2CMC485003M0201: 5B1Ch reactive and 5B24h apparent power total, 8900h serial number, 8908h firmware version.
    "abb_b2x": Meter(
        "abb",
        "holding",
        {
            "v": number(2, 10),
            "a": number(2, 100),
            "w": number(2, 100),
            "wh": number(4, 0.1),
            "factor": number(1, 1000),
            "hz": number(1, 100),
        },
        2,
        more={
            ("holding", 0x5B1C): [0, 40_750],
            ("holding", 0x5B24): [0x0001, 0xFBD0],
            ("holding", 0x8900): [0x0001, 0x86A0],
            ("holding", 0x8908): text("B1.26.0", 8),
        },
        tells={"reactive_power_var": 407.5, "apparent_power_va": 1300},
        serial="100000",
        firmware="B1.26.0",
    ),
    # DOCA0005EN: powers in kW, kvar and kVA, energies in Wh as 64-bit integers, register 130 the serial number.
    "schneider_iem3000": Meter(
        "iem3000",
        "holding",
        {
            **dict.fromkeys(("v", "a", "hz"), float32()),
            **dict.fromkeys(("w", "va", "var"), float32(0.001)),
            "wh": number(4),
        },
        2,
        more={("holding", 129): [0x0001, 0x86A0]},
        serial="100000",
        left_out=frozenset({"voltage_v", "current_a"}),
    ),
    "janitza_umg": Meter("janitza", "holding", dict.fromkeys(("v", "a", "w", "hz", "wh", "factor"), float32()), 1),
    # The table's own notes say how wide and how fine each value is; A000h is the total energy, 0.01 kWh.
    "orno_we514": Meter(
        "orno1p",
        "holding",
        {
            "hz": number(1, 100),
            "v": number(1, 100),
            "a": number(2, 1000),
            "factor": number(1, 1000),
            **dict.fromkeys(("w", "var", "va"), number(2)),
        },
        2,
        more={("holding", 0xA000): [0x0012, 0xD664]},
        tells={"import_wh": 12_345_320, "power_w": -1234, "reactive_power_var": 408},
    ),
}


def goodwe(model: str) -> tuple[RegisterUnit, dict[str, float]]:
    """Return a recorded inverter as a unit, and what its recording decodes to."""
    recorded = json.loads((DATA / "goodwe.json").read_text())[model]
    unit = RegisterUnit({})
    for block, address in (("device_info", 35_000), ("meter_data", 36_000)):
        frame = bytes.fromhex(recorded[block])
        # two bytes before the frame of unit F7h, its function and length; a checksum after it
        assert frame[:4] == bytes.fromhex("aa55f703")
        words = frame[5 : 5 + frame[4]]
        unit.put("holding", address, *(int.from_bytes(words[at : at + 2]) for at in range(0, len(words), 2)))
    return unit, recorded["decoded"]
