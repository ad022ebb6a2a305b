"""What chargers show, word by word as their makers' documents say it; nothing here is taken from the profiles."""

import csv
from dataclasses import dataclass
import json
from pathlib import Path
import struct
from typing import Any

from ..register_device import RegisterUnit

ALFEN = Path(__file__).parents[2] / "data" / "alfen_eve"


def u32(*numbers: int) -> list[int]:
    """Return unsigned 32-bit numbers as words, the high one first."""
    return [word for number in numbers for word in divmod(number, 65_536)]


@dataclass(frozen=True)
class Shown:
    """A charger at one moment: its unit, its registers and power, what else it tells, and requests in a poll."""

    unit_id: int
    raw: tuple[float | None, float | None, float | None]
    values: dict[str, Any]
    requests: int
    words: dict[str, dict[int, list[int]]]
    limit: int = 125

    def unit(self) -> RegisterUnit:
        """Return a unit with these registers."""
        unit = RegisterUnit({}, limit=self.limit)
        for space, blocks in self.words.items():
            for address, block in blocks.items():
                unit.put(space, address, *block)
        return unit


# Programmers Guide V1.02 prints the serial number 18416854, 645 and 1011 mA, 98661 mW and 230 V as its examples.
KEBA = {
    1000: u32(3),
    1004: u32(7),
    1006: u32(0),
    1008: u32(645),
    1010: u32(1011),
    1012: u32(0),
    1014: u32(18_416_854),
    1016: u32(304_111),
    1018: u32(50_990_336),
    1020: u32(98_661),
    1036: u32(381_010),
    1040: u32(230),
    1042: u32(231),
    1044: u32(229),
    1046: u32(987),
    1100: u32(16_000),
    1110: u32(20_000),
    1502: u32(12_345),
}
KEBA_VALUES = {
    "charger_state": "charging",
    "plugged": True,
    "current_l1_a": 0.645,
    "current_l2_a": 1.011,
    "current_l3_a": 0.0,
    "voltage_l1_v": 230,
    "voltage_l2_v": 231,
    "voltage_l3_v": 229,
    "power_factor": 0.987,
    "session_wh": 1234.5,
    "current_limit_a": 16.0,
}
# Modbus Communication v1.7: 0.001 A, 0.1 V, W, Wh; byte 1 of 400Ch is 84h in state C2
TERRA = {
    0x4000: [0x5441, 0x4357, 0x0000, 0x1234],
    0x4004: u32(0x01060500),
    0x4006: u32(16_000),
    0x4008: u32(0),
    0x400A: u32(0x111),
    0x400C: u32(0x8400),
    0x400E: u32(13_000),
    0x4010: u32(12_900, 12_800, 0),
    0x4016: u32(2_301, 2_299, 2_310),
    0x401C: u32(5_900),
    0x401E: u32(4_321),
    0x4020: [60],
}
# register table 2021-02-22: 0.1 A, V, 0.1 °C, VA; energy since installation 1 * 65536 + 1000 VAh
HEIDELBERG_INPUT = {
    4: [0x108],
    5: [7, 139, 140, 138, 325, 238, 239, 237, 1, 3_320, 0, 777, 1, 1_000],
    100: [12, 6],
    200: [1],
    203: [17],
}
HEIDELBERG_HOLDING = {257: [15_000, 0, 1, 0, 140, 0]}
# modbus-en.md: 100000 deka watt seconds are 277 Wh, 123 is 12.3 A, 360 is 3.6 kW, 0.1 kWh in all
GO_E_INPUT = {
    100: [2, 32],
    105: [0x3035, 0x3535, 0],
    108: u32(230, 231, 0),
    114: u32(123, 122, 0),
    120: u32(360),
    128: u32(12_345),
    132: u32(100_000),
    144: u32(0, 28, 8, 0),
    304: [0x3031, 0x3233, 0x3435, 0x3637, 0x3839, 0x3130],
}
GO_E_HOLDING = {200: [1, 0], 211: [20], 299: [13, 16], 332: [0], 337: [0]}


def alfen() -> Shown:
    """Return the station of the read-out, its words written again by the type the register table names."""
    decoded = json.loads((ALFEN / "decoded.json").read_bytes())
    forms = {"FLOAT32": ">f", "FLOAT64": ">d", "UINT16": ">H", "UINT32": ">L", "UINT64": ">Q", "INT16": ">h"}
    blocks: dict[int, list[int]] = {}
    with (ALFEN / "registers.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["unit_id"] != "1":
                continue
            value = decoded[row["key"]]
            size = 2 * int(row["length"])
            text = row["dtype"] == "STRING"
            raw = value.encode().ljust(size, b"\0") if text else struct.pack(forms[row["dtype"]], value)
            blocks[int(row["address_dec"])] = list(struct.unpack(f">{size // 2}H", raw))
    names = {
        **{f"voltage_l{phase}_v": f"voltage_phase_L{phase}N" for phase in (1, 2, 3)},
        **{f"current_l{phase}_a": f"current_phase_L{phase}" for phase in (1, 2, 3)},
        "power_factor": "power_factor_sum",
        "frequency_hz": "frequency",
        "current_limit_a": "modbus_slave_max_current",
    }
    values = {name: decoded[key] for name, key in names.items()}
    # mode 3 state A is no car; a limit of 6 A lets one charge
    values |= {"charger_state": "available", "plugged": False, "charge": True}
    raw = decoded["real_energy_delivered_sum"], 0, decoded["real_power_sum"]
    return Shown(1, raw, values, 2, {"holding": blocks})


CHARGERS = {
    "keba_p30": Shown(255, (38_101, 0, 98.661), KEBA_VALUES | {"charge": True}, 4, {"holding": KEBA}, limit=2),
    "keba_p40": Shown(255, (38_101, 0, 98.661), KEBA_VALUES | {"charge": True}, 4, {"holding": KEBA}, limit=2),
    "alfen_eve": alfen(),
    "abb_terra_ac": Shown(
        1,
        (None, None, 5_900),
        {
            "charger_state": "charging",
            "plugged": True,
            "charge": True,
            "session_wh": 4_321,
            "current_limit_a": 13.0,
            "current_l1_a": 12.9,
            "current_l2_a": 12.8,
            "current_l3_a": 0.0,
            "voltage_l1_v": 230.1,
            "voltage_l2_v": 229.9,
            "voltage_l3_v": 231.0,
        },
        1,
        {"holding": TERRA},
    ),
    "heidelberg_energy_control": Shown(
        1,
        (66_536, 0, 3_320),
        {
            "charger_state": "charging",
            "plugged": True,
            "charge": True,
            "current_limit_a": 14.0,
            "current_l1_a": 13.9,
            "current_l2_a": 14.0,
            "current_l3_a": 13.8,
            "voltage_l1_v": 238,
            "voltage_l2_v": 239,
            "voltage_l3_v": 237,
        },
        1,
        {"input": HEIDELBERG_INPUT, "holding": HEIDELBERG_HOLDING},
    ),
    "go_e": Shown(
        1,
        (1_234_500, 0, 3_600),
        {
            "charger_state": "charging",
            "plugged": True,
            "charge": True,
            "current_limit_a": 13,
            "current_l1_a": 12.3,
            "current_l2_a": 12.2,
            "current_l3_a": 0.0,
            "session_wh": 100_000 / 360,
            "voltage_l1_v": 230,
            "voltage_l2_v": 231,
            "voltage_l3_v": 0,
            "power_l1_w": 2_800,
            "power_l2_w": 800,
            "power_l3_w": 0,
        },
        1,
        {"input": GO_E_INPUT, "holding": GO_E_HOLDING},
    ),
}
