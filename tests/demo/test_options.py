"""The command line: what it understands, and what it says about the rest."""

import pytest

from demo.options import CableOptions, HouseOptions, MakerOptions, Options, parse


def test_without_arguments_the_demo_stays_up_with_minutes_as_intervals() -> None:
    """The defaults are those a person wants who only looks."""
    assert parse([]) == Options(interval_seconds=60, once=False, keep=False, ha_port=None, cloud_port=None)


def test_everything_can_be_said_at_once() -> None:
    """All options together."""
    said = parse(["--once", "--keep", "--interval-seconds", "20", "--ha-port", "9123", "--cloud-port", "9080"])
    assert said == Options(interval_seconds=20, once=True, keep=True, ha_port=9123, cloud_port=9080)


def test_the_house_can_run_alone() -> None:
    """`house` has options of its own."""
    assert parse(["house", "--interval-seconds", "30", "--wait"]) == HouseOptions(interval_seconds=30, wait=True)


def test_a_cable_can_run_alone() -> None:
    """`cable` says whose it is, and what car is behind it."""
    said = parse(["cable", "--serial", "CWC-7", "--user", "dora", "--energy-wh", "4800", "--speed", "360"])
    assert said == CableOptions(serial="CWC-7", user="dora", energy_wh=4800, speed=360)


def test_a_makers_cloud_can_run_alone() -> None:
    """`maker` says how its clock goes and how hubs are let in."""
    said = parse(["maker", "--offset-seconds", "-7", "--auth", "refresh_token", "--page", "20"])
    assert said == MakerOptions(offset_seconds=-7, auth="refresh_token", page=20)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["cable"], "required: --serial"),
        (["cable", "--serial", "a serial of seventeen"], "at most 16 ASCII characters"),
        (["cable", "--serial", "Dörte"], "not a text of at most"),
        (["cable", "--serial", ""], "is no serial number"),
        (["cable", "--serial", "CWC-7", "--speed", "0"], "0 is not between 1 and"),
        (["cable", "--serial", "CWC-7", "--capacity-wh", "0"], "0 is not between 1 and"),
        (["cable", "--serial", "CWC-7", "--energy-wh", "-1"], "-1 is not between 0 and"),
        (["cable", "--serial", "CWC-7", "--port", "70000"], "70000 is not between 0 and 65535"),
        (["--interval-seconds", "7"], "7 s does not divide half an hour; use one of 10, 12, 15"),
        (["--interval-seconds", "5"], "does not divide half an hour"),
        (["--interval-seconds", "3600"], "does not divide half an hour"),
        (["--interval-seconds", "-60"], "does not divide half an hour"),
        (["--interval-seconds", "soon"], "'soon' is not a whole number"),
        (["--ha-port", "80"], "80 is not a port between 1024 and 65535"),
        (["--cloud-port", "http"], "'http' is not a whole number"),
        (["--twice"], "unrecognized arguments: --twice"),
        (["house", "--once"], "unrecognized arguments: --once"),
        (["cottage"], "unrecognized arguments: cottage"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_reason(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program ends with code 2 and one line that helps."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["house", "--help"]])
def test_help_names_every_option(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks for help gets it with code 0."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 0
    assert "--interval-seconds N" in capsys.readouterr().out
