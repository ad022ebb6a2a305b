"""The line to a Modbus unit as a value: TCP, RTU over TCP, or serial, spelt the one way that lets it be shared."""

from dataclasses import dataclass
from typing import Literal

from modbus_connection import ModbusSerialParams, ModbusTcpParams

type Parity = Literal["N", "E", "O"]
type StopBits = Literal[1, 2]

# what Home Assistant's own spelling of RTU over TCP has: a second consumer must name the same speed
SOCKET_BAUDRATE = 115_200


@dataclass(frozen=True, slots=True)
class TcpLine:
    """A Modbus TCP endpoint."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class RtuOverTcpLine:
    """RTU frames in a TCP connection: a plain serial gateway."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SerialLine:
    """A serial port of this machine, with the settings every unit on its bus shares."""

    device: str
    baudrate: int
    parity: Parity = "N"
    stopbits: StopBits = 1


type Line = TcpLine | RtuOverTcpLine | SerialLine


def line_params(line: Line) -> ModbusTcpParams | ModbusSerialParams:
    """Return the link parameters a line stands for."""
    match line:
        case TcpLine(host, port):
            return ModbusTcpParams(host=host, port=port)
        case RtuOverTcpLine(host, port):
            bracketed = f"[{host}]" if ":" in host else host
            return ModbusSerialParams(device=f"socket://{bracketed}:{port}", baudrate=SOCKET_BAUDRATE)
        case SerialLine(device, baudrate, parity, stopbits):
            return ModbusSerialParams(device=device, baudrate=baudrate, parity=parity, stopbits=stopbits)
