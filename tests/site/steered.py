"""Chargers, cables and batteries for the tests: the simulated house's own servers, on a clock the test moves."""

from dataclasses import dataclass
from typing import Any

from demo.register_map import Kind
from demo.steered import Steered
from demo.steered_server import SteeredServer

BEGIN_MS = 1_795_237_200_000  # 2026-11-21T05:00:00Z, a half hour's beginning
HALF_HOUR_MS = 1_800_000
SERIALS = {Kind.CHARGER: "CWE-1", Kind.CABLE: "CWC-1", Kind.BATTERY: "CWB-1"}
PROFILES = {Kind.CHARGER: "commonwatt_charger", Kind.CABLE: "commonwatt_cable", Kind.BATTERY: "commonwatt_battery"}


@dataclass
class Clock:
    """The devices' own time, in ms."""

    now_ms: int = BEGIN_MS

    def __call__(self) -> int:
        """Return the instant the test has set."""
        return self.now_ms

    def half_hours(self, count: int = 1) -> None:
        """Let time pass."""
        self.now_ms += count * HALF_HOUR_MS


def served(kind: Kind, clock: Clock, **changes: Any) -> SteeredServer:
    """Return a server of a device that a car, Dora's, is plugged in at."""
    plain: dict[str, Any] = {"user": "dora", "vehicle": "JN1AZ0000", "place": (35_681_236, 139_767_125)}
    device = Steered(kind=kind, serial=SERIALS[kind], now_ms=clock.now_ms, **plain | changes)
    return SteeredServer(device, clock)


def source(server: SteeredServer, **changes: Any) -> dict[str, Any]:
    """Return the source of a device as the flow keeps it."""
    endpoint, kind = server.endpoint, server.device.kind
    kept = {"source": "modbus", "host": endpoint.host, "port": endpoint.port, "unit_id": endpoint.unit}
    kept |= {"profile": PROFILES[kind], "serial": server.device.serial}
    if kind is Kind.CABLE:
        kept["public_key"] = server.device.signed.public_key.hex()
    return kept | changes
