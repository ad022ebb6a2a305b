"""What formats must not get wrong: a reading doubled, lost, half told, or an hour off."""

from typing import Any

from cloud.hub.formats.book import read
from cloud.hub.messages.message import Parsed
from cloud.wire import to_bytes

from .test_format_vectors import OURS
from .test_formats import NOON_MS


def said(data: Any) -> Parsed:
    """Return what our own formats read out of data."""
    found = read(OURS, to_bytes(data), NOON_MS)
    assert isinstance(found, Parsed), found
    return found


def test_a_low_voltage_meter_may_have_a_multiple_of_its_coefficient() -> None:
    """Newer meters say in D4 by which power of ten the coefficient in D3 is to be multiplied; older ones have none."""
    properties = {"E0": "000003E8", "E1": "01", "D3": "0000000C"}
    for multiple, expected in ((None, 1_200_000), ("00", 1_200_000), ("01", 120_000), ("0A", 12_000_000)):
        more = {} if multiple is None else {"D4": multiple}
        [reading] = said({"eoj": "028801", "properties": properties | more}).readings
        assert reading.value == expected


def test_a_temperature_is_in_celsius_however_the_standard_writes_it() -> None:
    """OCPP 1.6 has both spellings in its list of units."""
    for unit in ("Celsius", "Celcius"):
        value = {"value": "21.5", "measurand": "Temperature", "unit": unit}
        moment = {"timestamp": "2026-11-21T11:00:00Z", "sampledValue": [value]}
        [reading] = said({"connectorId": 1, "meterValue": [moment]}).readings
        assert reading.value == 21_500


def test_what_flows_is_not_told_by_half() -> None:
    """Where one direction cannot be read, the other alone is not the net of both."""
    values = [
        {"value": "1500", "measurand": "Power.Active.Import", "unit": "horses"},
        {"value": "0", "measurand": "Power.Active.Export", "unit": "W"},
        {"value": "230", "measurand": "Voltage"},
    ]
    found = said({"connectorId": 1, "meterValue": [{"timestamp": "2026-11-21T11:00:00Z", "sampledValue": values}]})
    assert [each.quantity for each in found.readings] == ["voltage"]
    assert [fault.reason for fault in found.faults] == ["unknown-unit"]


def test_a_counter_may_stand_where_a_small_point_would_say_nothing() -> None:
    """65535 is no value of a point of 16 bits; a counter of 32 bits or a floating number passes it as any other."""
    for wh in (32_768, 65_535, 2**31):
        [reading] = said({"models": [{"ID": 103, "WH": wh, "WH_SF": 0}]}).readings
        assert reading.value == wh
    [reading] = said({"models": [{"ID": 113, "W": 65535}]}).readings
    assert reading.value == -65_535_000
    assert said({"models": [{"ID": 103, "W": -32768, "WH": 0, "Hz": 65535, "W_SF": 0}]}).readings == ()
    assert said({"models": [{"ID": 203, "TotWhImp": 2**32 - 1}]}).readings == ()


def test_meters_of_a_maker_who_counts_outwards_are_turned_round() -> None:
    """Behind a SolarEdge inverter a meter's positive power flows to the grid; its registers are as everywhere."""
    meter = {"ID": 203, "W": 250, "W_SF": 1, "WphA": 100, "A": 11, "A_SF": 0, "TotWhImp": 5, "TotWhExp": 7, "PhV": 231}
    for maker, sign in (("SolarEdge ", -1), ("Fronius", 1)):
        found = said({"models": [{"ID": 1, "Mn": maker}, {"ID": 103, "W": 1500}, {"ID": 1, "Mn": "WND"}, meter]})
        told = {(each.point, each.quantity.value): each.value for each in found.readings}
        assert told == {
            ("103", "power"): -1_500_000,
            ("203", "power"): 2_500_000 * sign,
            ("203/L1", "power"): 1_000_000 * sign,
            ("203", "current"): 11_000 * sign,
            ("203", "voltage"): 231_000,
            ("203", "import_register"): 5,
            ("203", "export_register"): 7,
        }
