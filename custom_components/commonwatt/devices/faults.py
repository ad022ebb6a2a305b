"""What is wrong with a Modbus unit, in words: an error of the link becomes one that says what to look at."""

from modbus_connection import (
    GatewayPathUnavailableError,
    GatewayTargetError,
    IllegalDataAddressError,
    IllegalDataValueError,
    IllegalFunctionError,
    ModbusConnectionError,
    ModbusDesyncError,
    ModbusError,
    ModbusProtocolError,
    ModbusTimeoutError,
    ServerDeviceBusyError,
)

from ..errors import DeviceError

# what a unit says of registers it does not have; a span that is too long for it counts among them
REFUSALS = (IllegalDataAddressError, IllegalFunctionError, IllegalDataValueError)


class WrongDevice(DeviceError):  # noqa: N818
    """Something answers, but not the device that was set up here."""


class SilentUnit(DeviceError):  # noqa: N818
    """The line works, but no unit answers to this id."""


class SwappedWords(DeviceError):  # noqa: N818
    """The values make sense only with the words of each in the other order: a setting of the device, or its version."""


class ImplausibleDevice(DeviceError):  # noqa: N818
    """What the registers hold is nothing that a meter shows: another device, or another register map."""


def fault(error: ModbusError, *, connected: bool) -> DeviceError:
    """Return a link's error as a device's; `connected` is whether the line itself stands."""
    match error:
        case ModbusTimeoutError() if connected:
            return SilentUnit("nothing answers to this unit id")
        case ModbusTimeoutError():
            return DeviceError("the line cannot be opened in time")
        case GatewayTargetError():
            return SilentUnit("the gateway gets no answer from this unit id")
        case GatewayPathUnavailableError():
            return SilentUnit("the gateway has no path to this unit id")
        case ModbusConnectionError():
            return DeviceError(f"the line is down: {error}")
        case ModbusDesyncError() | ModbusProtocolError():
            return DeviceError(f"the answer is no Modbus, or of another device: {error}")
        case ServerDeviceBusyError():
            return DeviceError("is busy")
        case _ if isinstance(error, REFUSALS):
            return WrongDevice(f"refuses registers of its profile: {error}")
        case _:
            return DeviceError(str(error))
