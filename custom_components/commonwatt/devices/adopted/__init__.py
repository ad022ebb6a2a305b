"""Devices that Home Assistant already knows: their states become registers and quantities, commands their services."""

from .device import AdoptedDevice, Adoption
from .faults import Fault, FaultKind
from .slots import SLOTS, Direction, Slot, SlotName

__all__ = ["SLOTS", "AdoptedDevice", "Adoption", "Direction", "Fault", "FaultKind", "Slot", "SlotName"]
