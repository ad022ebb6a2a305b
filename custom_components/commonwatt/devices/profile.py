"""Register profiles: which device answers what where, read from data files so that a new device needs no code."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
import json
from pathlib import Path
from typing import Any, Literal, cast, get_args

from .members import Members
from .port import COMMANDS, QUANTITIES, Agreement, ChargerState, Command, Kind, Permission, Quantity, Range, Value
from .register import WIDTHS, Pace, ProfileCommand, ProfileField, Space, WordOrder

FOLDER = Path(__file__).parent / "profiles"
SPAN_MAX = 125  # what one Modbus request may read
ADDRESS_MAX = 65_535
UINT64_MAX = 2**64 - 1

type Checked = Literal["dump", "map"]

IDENTITY_FIELDS = frozenset({"serial", "manufacturer", "model", "firmware", "rated_power_w"})
ENERGY_FIELDS = frozenset({"import_wh", "export_wh"})
BREAKER_FIELDS = frozenset({"breaker_state", "breaker_command"})
LIMIT_FIELDS = frozenset({"current_limit_max_a"})  # what bounds a command
FIELDS = frozenset[str]({*IDENTITY_FIELDS, *ENERGY_FIELDS, *BREAKER_FIELDS, *LIMIT_FIELDS, "power_w", *QUANTITIES})
BOOLEANS = frozenset({"plugged", "charge"})
WORDS: Mapping[str, frozenset[str]] = {
    "charger_state": frozenset(get_args(ChargerState.__value__)),
    "permission": frozenset(get_args(Permission.__value__)),
    "agreement": frozenset(get_args(Agreement.__value__)),
}
CHOSEN = frozenset({"mode", *WORDS})
TEXTS = frozenset({"serial", "manufacturer", "model", "firmware", "site_id", "vehicle_id", "user_id"})
SPACES = frozenset({"holding", "input", "coil", "discrete"})


@dataclass(frozen=True, slots=True)
class Profile:
    """A device's register map; `identity` are registers that must hold a value, or another device answers.

    `checked` tells whether a recording of a real device proved it ("dump") or only the maker's table ("map").
    """

    key: str
    label: str
    manufacturer: str | None
    model: str | None
    kinds: tuple[Kind, ...]
    source: str
    checked: Checked
    space: Space
    max_gap: int
    max_span: int
    word_order: WordOrder
    unit_id: int | None
    pause_ms: int
    identity: tuple[ProfileField, ...]
    fields: Mapping[str, ProfileField]
    commands: Mapping[Command, ProfileCommand]

    @property
    def quantities(self) -> frozenset[Quantity]:
        """What a device of this profile tells besides registers and power."""
        return QUANTITIES & frozenset(cast("set[Quantity]", set(self.fields)))

    @property
    def integrated(self) -> bool:
        """Whether it has no energy register, so that one is made from its power."""
        return not ENERGY_FIELDS & set(self.fields)

    @property
    def wraps_wh(self) -> int | None:
        """The energy in Wh at which its registers begin anew; None if never, or not both at the same."""
        wraps = {self.fields[name].wraps_wh for name in ENERGY_FIELDS if name in self.fields}
        return wraps.pop() if len(wraps) == 1 else None

    def pauses(self, command: Command) -> bool:
        """Tell whether a switch is the register of a limit, which is nothing while it is off."""
        at = self.commands[command].address
        return any(name != command and spec.address == at for name, spec in self.commands.items())


@cache
def load_profiles() -> Mapping[str, Profile]:
    """Read every profile of the folder (blocking: run it in the executor); a wrong file raises ValueError."""
    return {path.stem: read_profile(path) for path in sorted(FOLDER.glob("*.json"))}


def read_profile(path: Path) -> Profile:
    """Read a profile's file; raise ValueError with the file's key when it says something nobody understands."""
    try:
        data = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"profile {path.stem}: is no JSON: {error}") from error
    return parse_profile(path.stem, data)


def parse_profile(key: str, data: Mapping[str, Any]) -> Profile:
    """Read one profile; raise ValueError with the file's key when it says something nobody understands."""
    members = Members(f"profile {key}", data)
    space = cast("Space", members.one_of("space", {"holding", "input"}))
    order = cast("WordOrder", members.one_of("word_order", {"big", "little"}, "big"))
    max_gap = members.whole("max_gap", 0, SPAN_MAX)
    fields = {
        name: _field(f"profile {key}: fields.{name}", name, item, space, order) for name, item in members.part("fields")
    }
    identity = tuple(
        _field(f"profile {key}: identity {place}", "", item, space, order)
        for place, item in enumerate(members.items("identity"))
    )
    commands = {
        cast("Command", name): _command(f"profile {key}: commands.{name}", name, item, order)
        for name, item in members.part("commands")
    }
    profile = Profile(
        key=key,
        label=members.text("label"),
        manufacturer=members.text_or_none("manufacturer"),
        model=members.text_or_none("model"),
        kinds=_kinds(members),
        source=members.text("source"),
        checked=cast("Checked", members.one_of("checked", {"dump", "map"})),
        space=space,
        max_gap=max_gap,
        max_span=members.whole("max_span", 1, SPAN_MAX, SPAN_MAX),
        word_order=order,
        unit_id=members.whole_or_none("unit_id", 0, 255),
        pause_ms=members.whole("pause_ms", 0, 1000, 0),
        identity=identity,
        fields=fields,
        commands=commands,
    )
    members.done()
    _check(profile)
    return profile


def _kinds(members: Members) -> tuple[Kind, ...]:
    kinds = members.items("kinds")
    if not kinds or not set(kinds) <= set(get_args(Kind.__value__)):
        raise members.wrong("kinds", f"must name some of {', '.join(get_args(Kind.__value__))}")
    return tuple(kinds)


def _check(profile: Profile) -> None:
    """Refuse a profile whose parts do not fit one another."""
    if not ENERGY_FIELDS & set(profile.fields) and "power_w" not in profile.fields:
        raise ValueError(f"profile {profile.key} has neither an energy register nor power_w to make one from")
    if len(BREAKER_FIELDS & set(profile.fields)) == 1:
        raise ValueError(f"profile {profile.key} has a breaker that cannot be both read and switched")
    for name in ENERGY_FIELDS & set(profile.fields):
        if profile.fields[name].pace != "poll":
            raise ValueError(f"profile {profile.key}: fields.{name} must be read at every poll")
    for name, command in profile.commands.items():
        if command.within is not None and command.within not in profile.fields:
            raise ValueError(f"profile {profile.key}: commands.{name}: within names no field: {command.within}")
    for field in (*profile.identity, *profile.fields.values()):
        if field.count > profile.max_span:
            raise ValueError(f"profile {profile.key}: a field of {field.count} registers exceeds max_span")


def _field(where: str, name: str, data: Any, space: Space, order: WordOrder) -> ProfileField:
    members = Members(where, data)
    if name and name not in FIELDS:
        raise ValueError(f"{where} is no field: choose one of {', '.join(sorted(FIELDS))}")
    own_space = cast("Space", members.one_of("space", SPACES, space))
    kind = _type(members, own_space)
    true = _numbers(members, "true")
    mask = members.whole_or_none("mask", 1, UINT64_MAX)
    field = ProfileField(
        address=members.whole("address", 0, ADDRESS_MAX),
        type=kind,
        space=own_space,
        count=_count(members, kind),
        pace=cast(
            "Pace", members.one_of("read", {"poll", "slow", "contact"}, "poll" if own_space == space else "contact")
        ),
        word_order=cast("WordOrder", members.one_of("word_order", {"big", "little"}, order)),
        factor=_factor(members),
        divisor=members.whole("divisor", 1, 10**9, 1),
        absent=members.whole_or_none("absent", 0, UINT64_MAX),
        equals=members.anything("equals"),
        mask=mask,
        states=_states(members, name),
        true=true,
        boolean=name in BOOLEANS,
    )
    members.done()
    _check_field(where, name, field)
    return field


def _check_field(where: str, name: str, field: ProfileField) -> None:
    if not name and not (isinstance(field.equals, str) if field.type == "string" else type(field.equals) is int):
        raise ValueError(f"{where}: equals must be what the register holds")
    if name and field.equals is not None:
        raise ValueError(f"{where}: equals belongs into identity")
    if name in BOOLEANS and field.true is None and field.mask is None and field.type != "bit":
        raise ValueError(f"{where}: true must list the numbers that mean yes")
    if name in CHOSEN and field.states is None:
        raise ValueError(f"{where}: states must give each number its word")
    if name and name not in TEXTS and field.type == "string":
        raise ValueError(f"{where}: type string is no number")


def _command(where: str, name: str, data: Any, order: WordOrder) -> ProfileCommand:
    members = Members(where, data)
    if name not in COMMANDS:
        raise ValueError(f"{where} is no command: choose one of {', '.join(sorted(COMMANDS))}")
    space = cast("Literal['holding', 'coil']", members.one_of("space", {"holding", "coil"}, "holding"))
    kind = _type(members, space)
    options = {word: _raw(where, number) for word, number in members.part("options")}
    switch = name in BOOLEANS
    number = not switch and not options and kind != "string"
    if name in CHOSEN and not options:
        raise ValueError(f"{where}: options must give each word its number")
    if strange := sorted(set(options) - WORDS.get(name, frozenset(options))):
        raise ValueError(f"{where}: options: {', '.join(strange)} is no {name}")
    command = ProfileCommand(
        address=members.whole("address", 0, ADDRESS_MAX),
        type=kind,
        space=space,
        count=_count(members, kind),
        range=Range(
            least=members.number("least") if number else 0,
            most=members.number("most") if number else 0,
            step=members.number("step", 1) if number else 1,
            options=tuple(options),
        ),
        word_order=cast("WordOrder", members.one_of("word_order", {"big", "little"}, order)),
        factor=_factor(members),
        divisor=members.whole("divisor", 1, 10**9, 1),
        options=options,
        on=members.whole("on", -(2**31), 2**32 - 1, 1) if switch else None,
        off=members.whole("off", -(2**31), 2**32 - 1, 0) if switch else None,
        multiple=members.flag("multiple"),
        repeat_s=members.whole_or_none("repeat_s", 1, 3600),
        within=members.text_or_none("within") if "within" in members else None,
    )
    members.done()
    if number and not (command.range.least < command.range.most and command.range.step > 0):
        raise ValueError(f"{where}: least must be below most, and step above zero")
    _check_fits(where, command)
    return command


def _check_fits(where: str, command: ProfileCommand) -> None:
    """Refuse a command that accepts what its register cannot hold."""
    if command.type == "string" or command.type.startswith("float"):
        return
    bits = 1 if command.type == "bit" else 16 * command.count
    least = -(1 << (bits - 1)) if command.type.startswith("int") else 0
    told: list[Value] = [True, False] if command.on is not None else list(command.options)
    for value in told or [command.range.least, command.range.most]:
        if not least <= command.raw(value) < least + (1 << bits):
            raise ValueError(f"{where}: {value} does not fit into {command.type}")


def _type(members: Members, space: Space) -> str:
    if space in ("coil", "discrete"):
        return members.one_of("type", {"bit"}, "bit")
    return members.one_of("type", set(WIDTHS) - {"bit"})


def _count(members: Members, kind: str) -> int:
    return members.whole("registers", 1, SPAN_MAX) if kind == "string" else WIDTHS[kind]


def _factor(members: Members) -> int:
    factor = members.whole("factor", -(10**9), 10**9, 1)
    if not factor:
        raise members.wrong("factor", "must not be zero")
    return factor


def _numbers(members: Members, name: str) -> frozenset[int] | None:
    return frozenset(_raw(members.where, number) for number in members.items(name)) if name in members else None


def _states(members: Members, name: str) -> dict[int, str] | None:
    if "states" not in members:
        return None
    states: dict[int, str] = {}
    for number, word in members.part("states"):
        if not number.lstrip("-").isdecimal() or not isinstance(word, str) or word not in WORDS.get(name, {word}):
            raise members.wrong("states", f"{number}: {word} is no number with its word")
        states[int(number)] = word
    return states


def _raw(where: str, number: Any) -> int:
    if type(number) is not int:
        raise ValueError(f"{where}: {number!r} must be a whole number")
    return number
