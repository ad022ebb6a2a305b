"""What a device shows becomes the words of the open register map, version 1 (Modbus holding registers, big-endian)."""

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
    """Register 2: a tap can open its breaker, a meter only measures."""

    TAP = 1
    METER = 2


class Breaker(IntEnum):
    """Register 27: state of the breaker."""

    OPEN = 0
    CLOSED = 1


def image(device: Device, shown: Snapshot, breaker: Breaker) -> list[int]:
    """Return all words of the map at one instant, so that a block read is consistent in itself.

    Energy and power are the data's. Voltage, current and power factor are computed to fit them, not measured.
    """
    voltage_dv = VOLTAGE_DV - shown.power_w * DROP_DV_PER_KW // 1000
    switch = NOT_IMPLEMENTED if device.main else int(breaker)
    return [
        *_words(b"CWTP", 2),
        MAP_VERSION,
        Kind.METER if device.main else Kind.TAP,
        *_words(device.serial.encode("ascii").ljust(16, b"\0"), 8),
        *_unsigned(shown.import_wh, 4),
        *_unsigned(shown.export_wh, 4),
        *_signed(shown.power_w, 2),
        voltage_dv,
        *_signed(_current_ma(shown.power_w, voltage_dv, device.power_factor_milli), 2),
        device.power_factor_milli if shown.power_w else 1000,
        FREQUENCY_CHZ,
        switch,
        switch,
        *_unsigned(device.rated_power_w, 2),
    ]


def _current_ma(power_w: int, voltage_dv: int, power_factor_milli: int) -> int:
    amount_ma = abs(power_w) * 10_000_000 // (voltage_dv * power_factor_milli)
    return amount_ma if power_w >= 0 else -amount_ma


def _unsigned(value: int, words: int) -> list[int]:
    return _words(value.to_bytes(2 * words), words)


def _signed(value: int, words: int) -> list[int]:
    return _words(value.to_bytes(2 * words, signed=True), words)


def _words(raw: bytes, words: int) -> list[int]:
    assert len(raw) == 2 * words
    return [int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)]
