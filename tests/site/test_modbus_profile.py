"""Register profiles: what a file may say, and that whoever writes one hears where it is wrong."""

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.commonwatt.devices.blocks import Block, halves, plan
from custom_components.commonwatt.devices.library import OWN_FOLDER, async_profiles
from custom_components.commonwatt.devices.profile import FOLDER, Profile, load_profiles, parse_profile, read_profile
from custom_components.commonwatt.devices.register import ProfileField


def profile(**changed: Any) -> dict[str, Any]:
    """Return a small sound profile but for what is changed; None leaves a member out."""
    data = {
        "label": "Meter",
        "manufacturer": None,
        "model": None,
        "kinds": ["meter"],
        "source": "none",
        "checked": "map",
        "space": "input",
        "max_gap": 0,
        "identity": [],
        "fields": {"import_wh": {"address": 0, "type": "uint32"}},
    } | changed
    return {name: value for name, value in data.items() if value is not None or name in {"manufacturer", "model"}}


def with_field(name: str, **field: Any) -> dict[str, Any]:
    """Return that profile with one more field."""
    return profile(fields={"import_wh": {"address": 0, "type": "uint32"}, name: field})


def with_command(name: str, **command: Any) -> dict[str, Any]:
    """Return that profile with a command."""
    return profile(commands={name: command})


def test_every_profile_that_is_shipped_is_sound() -> None:
    """Register maps are claims about devices; where each comes from stands beside it."""
    profiles = load_profiles()
    assert set(profiles) == {path.stem for path in FOLDER.glob("*.json")}
    for read in profiles.values():
        assert read.source
        assert read.label
    labels = [read.label for read in profiles.values()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("kind", ["uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"])
def test_every_kind_of_number_can_be_a_register(kind: str) -> None:
    """A new meter needs a file and no code."""
    parse_profile("new", profile(fields={"export_wh": {"address": 0, "type": kind}}))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (profile(source=None), "profile broken: source is missing"),
        (profile(label=""), "label must be a text"),
        (profile(kinds=None), "kinds must name some of meter, tap, charger, cable, battery"),
        (profile(kinds=["boiler"]), "kinds must name some of"),
        (profile(checked="yes"), "checked must be one of dump, map, not 'yes'"),
        (profile(space="coil"), "space must be one of holding, input"),
        (profile(word_order="middle"), "word_order must be one of big, little"),
        (profile(max_gap=-1), "max_gap must be a whole number from 0 to 125"),
        (profile(max_gap=True), "max_gap must be a whole number"),
        (profile(max_span=126), "max_span must be a whole number from 1 to 125"),
        (profile(max_span=1), "exceeds max_span"),
        (profile(unit_id=300), "unit_id must be a whole number from 0 to 255"),
        (profile(max_gab=3), "profile broken: nobody knows max_gab"),
        (profile(fields=[]), "fields must be an object"),
        (profile(fields={"import_wh": 3}), "fields.import_wh must be an object"),
        (profile(identity={}), "identity must be a list"),
        (profile(identity=[{"address": 0, "type": "float16", "equals": 1}]), "identity 0: type must be one of"),
        (profile(identity=[{"address": 0, "type": "uint16"}]), "identity 0: equals must be what the register holds"),
        (profile(identity=[{"address": 0, "type": "uint16", "equals": "x"}]), "equals must be what"),
        (profile(fields={"voltage_v": {"address": 0, "type": "uint16"}}), "has neither an energy register nor power_w"),
        (profile(fields={"import_wh": {"type": "uint32"}}), "fields.import_wh: address is missing"),
        (profile(fields={"import_wh": {"address": 0, "type": "uint24"}}), "type must be one of"),
        (profile(fields={"import_wh": {"address": 0, "type": "uint32", "read": "slow"}}), "must be read at every poll"),
        (with_field("power_w", address=70_000, type="int16"), "address must be a whole number from 0 to 65535"),
        (with_field("power_w", address=2, type="int16", colour="red"), "fields.power_w: nobody knows colour"),
        (with_field("power_w", address=2, type="int16", factor=0), "factor must not be zero"),
        (with_field("power_w", address=2, type="int16", factor=0.1), "factor must be a whole number"),
        (with_field("power_w", address=2, type="int16", divisor=0), "divisor must be a whole number from 1"),
        (with_field("power_w", address=2, type="string", registers=2), "type string is no number"),
        (with_field("power_w", address=2, type="int16", equals=3), "equals belongs into identity"),
        (with_field("serial", address=2, type="string"), "registers is missing"),
        (with_field("voltage", address=2, type="uint16"), "fields.voltage is no field: choose one of"),
        (with_field("plugged", address=2, type="uint16"), "true must list the numbers that mean yes"),
        (with_field("plugged", address=2, type="uint16", true=["yes"]), "'yes' must be a whole number"),
        (with_field("charger_state", address=2, type="uint16"), "states must give each number its word"),
        (with_field("charger_state", address=2, type="uint16", states={"1": "flying"}), "1: flying is no number"),
        (with_field("charger_state", address=2, type="uint16", states={"A": "plugged"}), "A: plugged is no number"),
        (with_field("breaker_state", address=2, type="uint16"), "a breaker that cannot be both read and switched"),
        (with_command("explode", address=0, type="uint16"), "commands.explode is no command"),
        (with_command("current_limit_a", address=0, type="uint16", most=16), "least is missing"),
        (with_command("current_limit_a", address=0, type="uint16", least=6, most=6), "least must be below most"),
        (with_command("current_limit_a", address=0, type="uint16", least="6", most=16), "least must be a number"),
        (with_command("mode", address=0, type="uint16"), "options must give each word its number"),
        (with_command("mode", address=0, type="uint16", options={"eco": "x"}), "'x' must be a whole number"),
        (with_command("permission", address=0, type="uint16", options={"yes": 1}), "yes is no permission"),
        (with_command("charge", address=0, type="uint16", space="input"), "space must be one of coil, holding"),
        (with_command("set_point_w", address=0, type="uint16", least=-10, most=10), "-10 does not fit into uint16"),
        (with_command("set_point_w", address=0, type="int16", least=0, most=40_000), "40000 does not fit into int16"),
        (with_command("charge", address=0, space="coil", on=2), "True does not fit into bit"),
        (with_command("charge", address=0, type="uint16", on=70_000), "True does not fit into uint16"),
        (with_command("mode", address=0, type="uint16", options={"eco": -1}), "eco does not fit into uint16"),
        (with_command("charge", address=0, type="uint16", multiple=1), "multiple must be true or false"),
    ],
)
def test_a_mistake_is_named_with_its_place(wrong: dict[str, Any], words: str) -> None:
    """The file's key, the member and what it must be are in the error, so that its author finds it."""
    with pytest.raises(ValueError, match="profile broken") as error:
        parse_profile("broken", json.loads(json.dumps(wrong)))
    assert words in str(error.value)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    """A comma too many, for one."""
    (tmp_path / "mine.json").write_text('{"label": "Mine",}')
    with pytest.raises(ValueError, match="profile mine: is no JSON"):
        read_profile(tmp_path / "mine.json")


def field(profile: Profile, name: str) -> ProfileField:
    """Return a field of a profile."""
    return profile.fields[name]


@pytest.mark.parametrize(
    ("data", "words", "value"),
    [
        ({"type": "uint16"}, [65_535], 65_535),
        ({"type": "int16"}, [65_535], -1),
        ({"type": "int16", "absent": 0x8000}, [0x8000], None),
        ({"type": "uint32"}, [1, 2], 65_538),
        ({"type": "uint32", "word_order": "little"}, [1, 2], 131_073),
        ({"type": "int64", "word_order": "little"}, [0xFFFE, 0xFFFF, 0xFFFF, 0xFFFF], -2),
        ({"type": "float64"}, [0x4059, 0, 0, 0], 100.0),
        ({"type": "float32"}, [0x7FC0, 0], None),
        ({"type": "float32"}, [0x7F80, 0], None),
        ({"type": "uint16", "divisor": 10}, [2305], 230.5),
        ({"type": "int16", "factor": -1}, [5], -5),
        ({"type": "uint16", "mask": 0x00F0, "divisor": 16}, [0x1234], 3.0),
    ],
)
def test_words_become_a_value(data: dict[str, Any], words: list[int], value: float | None) -> None:
    """Width, sign, order, scale and the content that means none."""
    assert field(parse_profile("new", with_field("power_w", address=2, **data)), "power_w").value(words) == value


@pytest.mark.parametrize(
    ("name", "data", "words", "value"),
    [
        ("plugged", {"type": "uint16", "true": [3, 7]}, [7], True),
        ("plugged", {"type": "uint16", "true": [3, 7]}, [5], False),
        ("plugged", {"type": "uint16", "mask": 4}, [6], True),
        ("plugged", {"type": "uint16", "mask": 4}, [3], False),
        ("charger_state", {"type": "uint16", "states": {"2": "charging"}}, [2], "charging"),
        ("charger_state", {"type": "uint16", "states": {"2": "charging"}}, [9], None),
        ("charger_state", {"type": "uint16", "mask": 0xFF00, "states": {"512": "charging"}}, [0x02FF], "charging"),
        ("serial", {"type": "string", "registers": 3}, [0x4142, 0x4320, 0], "ABC"),
        ("serial", {"type": "string", "registers": 2}, [0, 0], None),
    ],
)
def test_words_become_a_word_or_a_yes(name: str, data: dict[str, Any], words: list[int], value: Any) -> None:
    """A number that no word belongs to is no value: nothing is guessed."""
    assert field(parse_profile("new", with_field(name, address=2, **data)), name).value(words) == value


def blocks(max_gap: int, max_span: int, **fields: tuple[int, str]) -> list[tuple[str, int, int]]:
    """Return the blocks that fields of (address, pace) are read in; each has two registers."""
    names = ("import_wh", "export_wh", "power_w", "voltage_v", "current_a", "demand_w")
    chosen = {
        name: {"address": address, "type": "uint32", "read": pace}
        for name, (address, pace) in zip(names, fields.values(), strict=False)
    }
    read = parse_profile("new", profile(max_gap=max_gap, max_span=max_span, fields=chosen))
    return [(block.pace, block.address, block.count) for block in plan(read.fields, max_gap=max_gap, max_span=max_span)]


def test_fields_near_one_another_are_one_request() -> None:
    """So many registers between two may be read along, but no request is longer than the device answers."""
    assert blocks(0, 125, a=(0, "poll"), b=(2, "poll")) == [("poll", 0, 4)]
    assert blocks(0, 125, a=(0, "poll"), b=(3, "poll")) == [("poll", 0, 2), ("poll", 3, 2)]
    assert blocks(1, 125, a=(3, "poll"), b=(0, "poll")) == [("poll", 0, 5)]
    assert blocks(9, 4, a=(0, "poll"), b=(2, "poll"), c=(4, "poll")) == [("poll", 0, 4), ("poll", 4, 2)]


def test_what_lies_in_a_block_that_is_read_anyway_comes_with_it() -> None:
    """A slow value between two registers costs no request of its own; one beside them does."""
    assert blocks(2, 125, a=(0, "poll"), b=(4, "poll"), c=(2, "slow")) == [("poll", 0, 6)]
    assert blocks(2, 125, a=(0, "poll"), b=(2, "poll"), c=(4, "slow")) == [("poll", 0, 4), ("slow", 4, 2)]
    assert blocks(2, 125, a=(0, "poll"), b=(2, "poll"), c=(9, "slow"), d=(10, "contact")) == [
        ("poll", 0, 4),
        ("slow", 9, 2),
        ("contact", 10, 2),
    ]


def test_a_refused_block_is_cut_at_its_gaps_first() -> None:
    """Then in two, until what is missing stands alone."""
    read = parse_profile(
        "new",
        profile(
            max_gap=5,
            fields={
                "import_wh": {"address": 0, "type": "uint32"},
                "export_wh": {"address": 2, "type": "uint32"},
                "power_w": {"address": 6, "type": "uint32"},
            },
        ),
    )
    (whole,) = plan(read.fields, max_gap=5, max_span=125)
    assert whole == Block("input", 0, 8, ("import_wh", "export_wh", "power_w"), "poll")
    first, second = halves(whole, read.fields, max_span=125)
    assert (first.names, second.names) == (("import_wh", "export_wh"), ("power_w",))
    assert [part.names for part in halves(first, read.fields, max_span=125)] == [("import_wh",), ("export_wh",)]


def put(folder: Path, profiles: Mapping[str, Any]) -> None:
    """Write profiles into a folder."""
    folder.mkdir()
    for key, data in profiles.items():
        (folder / f"{key}.json").write_text(json.dumps(data))


async def test_a_profile_of_ones_own_lies_in_the_configuration_folder(
    hass: HomeAssistant, expected_logs: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Updates leave it alone; one that is wrong, or named as one that is shipped, is left out and told."""
    expected_logs.append("is left out")
    own = {"mine": profile(label="Mine"), "wrong": profile(checked="yes"), "eastron_sdm630": profile()}
    put(Path(hass.config.path(OWN_FOLDER)), own)
    profiles = await async_profiles(hass)
    assert profiles["mine"].label == "Mine"
    assert profiles["eastron_sdm630"].manufacturer == "Eastron"
    assert profiles.keys() - load_profiles().keys() == {"mine"}
    assert "profile wrong: checked must be one of dump, map" in caplog.text
    assert "there is a profile eastron_sdm630 already" in caplog.text
    assert await async_profiles(hass) is profiles
