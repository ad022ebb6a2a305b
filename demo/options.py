"""What can be said on the command line."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .house import HALF_HOUR_S

INTERVAL_S = 60
INTERVAL_MIN_S = 10
HA_PORT = 8123
CLOUD_PORT = 8080
ENERGY_WH_MAX = 1_000_000  # no car holds more
DESCRIPTION = """\
A measured house behind real Modbus servers, a real Home Assistant with the Commonwatt integration, and the cloud,
started together on this machine. Half an hour of the house's data passes in one interval.

Without --once everything stays up for you to look at, until Ctrl-C."""
STREET = "The street's meter alone; it reads one line of JSON on standard input, see demo/street.py."
EPILOG = """\
`python -m demo house --help` explains how to run the house alone, for a Home Assistant of your own,
`python -m demo cable --help` a V2G cable, `python -m demo maker --help` a maker's cloud."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the demo is to run; a port of `None` means the usual one, or any other when that is taken."""

    interval_seconds: int = INTERVAL_S
    once: bool = False
    keep: bool = False
    ha_port: int | None = None
    cloud_port: int | None = None


@dataclass(frozen=True, slots=True)
class HouseOptions:
    """How the house alone is to run."""

    interval_seconds: int = INTERVAL_S
    wait: bool = False


@dataclass(frozen=True, slots=True)
class CableOptions:
    """What a cable is, and what car is behind it; a port of 0 is any free one."""

    serial: str
    user: str = ""
    vehicle: str = ""
    name: str = ""
    capacity_wh: int = 40_000
    energy_wh: int = 20_000
    speed: int = 1
    port: int = 0
    announce: bool = False


@dataclass(frozen=True, slots=True)
class MakerOptions:
    """How a maker's cloud is to run; `begins_at` 0 is two days ago, a port of 0 is any free one."""

    port: int = 0
    begins_at: int = 0
    offset_seconds: int = 4
    page: int = 100
    auth: str = "client_credentials"


@dataclass(frozen=True, slots=True)
class StreetOptions:
    """The street's meter, which is told everything on standard input: a password is no argument."""


def parse(arguments: Sequence[str]) -> Options | HouseOptions | CableOptions | MakerOptions | StreetOptions:
    """Read the command line; what cannot be understood ends the program with a line that says why."""
    if arguments and arguments[0] == "maker":
        return MakerOptions(**vars(_maker_parser().parse_args(arguments[1:])))
    if arguments and arguments[0] == "street":
        return StreetOptions(
            **vars(argparse.ArgumentParser("demo street", description=STREET).parse_args(arguments[1:]))
        )
    if arguments and arguments[0] == "cable":
        return CableOptions(**vars(_cable_parser().parse_args(arguments[1:])))
    if arguments and arguments[0] == "house":
        return HouseOptions(**vars(_house_parser().parse_args(arguments[1:])))
    return Options(**vars(_parser().parse_args(arguments)))


def interval_seconds(text: str) -> int:
    """Read the length of an interval: a divisor of half an hour that leaves time to read the devices."""
    seconds = _whole(text)
    if seconds < INTERVAL_MIN_S or HALF_HOUR_S % seconds:
        divisors = [str(n) for n in range(INTERVAL_MIN_S, HALF_HOUR_S + 1) if HALF_HOUR_S % n == 0]
        raise argparse.ArgumentTypeError(f"{text} s does not divide half an hour; use one of {', '.join(divisors)}")
    return seconds


def port(text: str) -> int:
    """Read a port that an ordinary user may open."""
    number = _whole(text)
    if not 1024 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port between 1024 and 65535")
    return number


def map_text(most: int) -> Callable[[str], str]:
    """Return what reads a text that fits into so many ASCII characters of the register map."""

    def read(text: str) -> str:
        if not text.isascii() or len(text) > most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a text of at most {most} ASCII characters")
        return text

    return read


def serial_number(text: str) -> str:
    """Read a serial number: nothing is known by no name."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no serial number")
    return map_text(16)(text)


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def read(text: str) -> int:
        number = _whole(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{number} is not between {least} and {most}")
        return number

    return read


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_interval(parser)
    parser.add_argument(
        "--once",
        action="store_true",
        help="stop after three settled intervals, print every owner's statement and two sums, and exit with 0",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the run's folder (databases, logs) when it ends; a failed run keeps it",
    )
    parser.add_argument(
        "--ha-port", type=port, metavar="PORT", help=f"Home Assistant's port (default: {HA_PORT}, or a free one)"
    )
    parser.add_argument(
        "--cloud-port", type=port, metavar="PORT", help=f"the cloud's port (default: {CLOUD_PORT}, or a free one)"
    )
    return parser


def _house_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo house",
        description="The house alone: ten Modbus TCP devices on 127.0.0.1, printed as one line of JSON.",
    )
    _add_interval(parser)
    parser.add_argument(
        "--wait",
        action="store_true",
        help="let the registers stand still until the line 'begin <seconds UTC>' comes on standard input",
    )
    return parser


def _cable_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo cable",
        description="A V2G cable alone, told by JSON on standard input what is plugged in where; see demo/cable.py.",
    )
    parser.add_argument("--serial", type=serial_number, required=True, help="its serial number")
    parser.add_argument("--user", type=map_text(36), default="", help="who drives the car behind it")
    parser.add_argument("--vehicle", type=map_text(36), default="", help="the car behind it")
    parser.add_argument("--name", default="", help="what it is called when it announces itself")
    parser.add_argument(
        "--capacity-wh", type=whole(1, ENERGY_WH_MAX), default=40_000, metavar="WH", help="what the car holds"
    )
    parser.add_argument(
        "--energy-wh", type=whole(0, ENERGY_WH_MAX), default=20_000, metavar="WH", help="what is in it now"
    )
    parser.add_argument(
        "--speed", type=whole(1, HALF_HOUR_S), default=1, metavar="N", help="energy flows so many times as fast"
    )
    parser.add_argument("--port", type=whole(0, 65_535), default=0, help="the port of Modbus TCP (default: a free one)")
    parser.add_argument("--announce", action="store_true", help="say by multicast DNS that it is there")
    return parser


def _maker_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo maker",
        description="A maker's cloud alone, with OAuth2 and pages, for the hub to pull from; see demo/maker.py.",
    )
    parser.add_argument("--port", type=whole(0, 65_535), default=0, help="where it listens (default: a free port)")
    parser.add_argument(
        "--begins-at", type=whole(0, 2**33), default=0, metavar="S", help="first half hour in seconds since 1970"
    )
    parser.add_argument(
        "--offset-seconds", type=whole(-86_400, 86_400), default=4, metavar="S", help="how far its clock is ahead"
    )
    parser.add_argument("--page", type=whole(1, 10_000), default=100, metavar="N", help="rows in one answer")
    parser.add_argument(
        "--auth",
        choices=("client_credentials", "refresh_token"),
        default="client_credentials",
        help="which OAuth2 grant the description it prints uses",
    )
    return parser


def _add_interval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--interval-seconds",
        type=interval_seconds,
        default=INTERVAL_S,
        metavar="N",
        help="length of an interval in seconds, a divisor of 1800, for half an hour of data (default: %(default)s)",
    )
