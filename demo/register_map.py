"""What a device shows becomes the words of the open register map (Modbus holding registers, big-endian)."""

from enum import IntEnum

from .house import Device, Snapshot

WORDS = 31
MAP_VERSION = 1
BREAKER_COMMAND = 28  # address of the only register that can be written
NOT_IMPLEMENTED = 0xFFFF
VOLTAGE_DV = 2300  # 230.0 V without load
DROP_DV_PER_KW = 3  # the line's resistance: drawing lowers the voltage, feeding in raises it
FREQUENCY_CHZ = 5000


class Kind(IntEnum):
    """Register 3: a tap can open its breaker, a meter only measures, the others can be steered."""

    TAP = 1
    METER = 2
    CHARGER = 3
    CABLE = 4
    BATTERY = 5


class Breaker(IntEnum):
    """Register 27: state of the breaker."""

    OPEN = 0
    CLOSED = 1


def image(device: Device, shown: Snapshot, breaker: Breaker) -> list[int]:
    """Return all words of the map at one instant, so that a block read is consistent in itself.

    Energy and power are the data's. Voltage, current and power factor are computed to fit them, not measured.
    """
    kind = Kind.METER if device.main else Kind.TAP
    switch = NOT_IMPLEMENTED if device.main else int(breaker)
    return common(
        kind,
        device.serial,
        shown,
        device.rated_power_w,
        power_factor_milli=device.power_factor_milli,
        switch=switch,
    )


def common(
    kind: Kind,
    serial: str,
    shown: Snapshot,
    rated_power_w: int,
    *,
    power_factor_milli: int = 1000,
    switch: int = NOT_IMPLEMENTED,
) -> list[int]:
    """Return the registers that every kind has, 0 to 30."""
    voltage_dv = VOLTAGE_DV - shown.power_w * DROP_DV_PER_KW // 1000
    return [
        *_words(b"CWTP", 2),
        MAP_VERSION,
        kind,
        *text(serial, 8),
        *_unsigned(shown.import_wh, 4),
        *_unsigned(shown.export_wh, 4),
        *signed(shown.power_w, 2),
        voltage_dv,
        *signed(_current_ma(shown.power_w, voltage_dv, power_factor_milli), 2),
        power_factor_milli if shown.power_w else 1000,
        FREQUENCY_CHZ,
        switch,
        switch,
        *_unsigned(rated_power_w, 2),
    ]


def _current_ma(power_w: int, voltage_dv: int, power_factor_milli: int) -> int:
    amount_ma = abs(power_w) * 10_000_000 // (voltage_dv * power_factor_milli)
    return amount_ma if power_w >= 0 else -amount_ma


def unsigned(value: int | None, words: int = 1) -> list[int]:
    """Return the words of a number, all ones for none."""
    return [NOT_IMPLEMENTED] * words if value is None else _unsigned(value, words)


def signed(value: int | None, words: int = 2) -> list[int]:
    """Return the words of a number that may be negative; only the highest bit is set for none."""
    return [0x8000, *[0] * (words - 1)] if value is None else _words(value.to_bytes(2 * words, signed=True), words)


def text(value: str, words: int) -> list[int]:
    """Return the words of an ASCII text, padded with NUL."""
    return _words(value.encode("ascii").ljust(2 * words, b"\0"), words)


def _unsigned(value: int, words: int) -> list[int]:
    return _words(value.to_bytes(2 * words), words)


def _words(raw: bytes, words: int) -> list[int]:
    assert len(raw) == 2 * words
    return [int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)]
