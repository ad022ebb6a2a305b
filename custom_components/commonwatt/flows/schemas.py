"""The forms: which fields a person fills in, with which selector."""

from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN, SensorDeviceClass
from homeassistant.components.switch.const import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import CONF_CODE, CONF_DEVICE, CONF_HOST, CONF_NAME, CONF_PORT, CONF_URL, UnitOfPower
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    SerialPortSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio

from .. import wire
from ..const import (
    CONF_BAUDRATE,
    CONF_BREAKER_ENTITY,
    CONF_ESSENTIAL,
    CONF_EXPORT_ENTITY,
    CONF_FIRST_UNIT_ID,
    CONF_IMPORT_ENTITY,
    CONF_INTERVAL_SECONDS,
    CONF_LAST_UNIT_ID,
    CONF_LINES,
    CONF_MAIN_OWNER,
    CONF_OWNER,
    CONF_PARITY,
    CONF_PASSCODE,
    CONF_POWER_ENTITY,
    CONF_PROFILE,
    CONF_RATED_POWER_W,
    CONF_REPEATED,
    CONF_SEND_PLACE,
    CONF_STOPBITS,
    CONF_UNIT_ID,
    CONF_UPSTREAM,
    INTERVAL_CHOICES,
    INTERVAL_SECONDS_DEFAULT,
    LINE_RTU_OVER_TCP,
    LINE_SERIAL,
    SECTION_MORE_OPTIONS,
    SUBENTRY_CABLE,
    SUBENTRY_METER,
    UPSTREAM_GRID,
)
from ..devices.port import Kind
from .lines import PARITIES

PORT_DEFAULT = 502
PROFILE_DEFAULT = "commonwatt_tap"
RATED_POWER_W_MAX = 10_000_000
BAUDRATE_DEFAULT = 9600
BAUDRATE_MAX = 4_000_000
UNIT_ID_MAX = 247  # on a bus
UNIT_ID_TCP_MAX = 255  # with an address of its own a device may also take 0 and 255
SEARCH_UNIT_ID_LAST = 32


def _whole(least: int, most: int, unit: str | None = None) -> probatio.All[Any]:
    config = NumberSelectorConfig(min=least, max=most, step=1, mode=NumberSelectorMode.BOX)
    if unit is not None:
        config["unit_of_measurement"] = unit
    return probatio.All(NumberSelector(config), probatio.Coerce(int))


def _sensor(device_class: SensorDeviceClass) -> EntitySelector:
    wanted = EntityWithDeviceFilterSelectorConfig(domain=SENSOR_DOMAIN, device_class=device_class)
    return EntitySelector(EntitySelectorConfig(filter=[wanted]))


def _words(options: Iterable[str], translation_key: str) -> SelectSelector:
    config = SelectSelectorConfig(
        options=list(options), mode=SelectSelectorMode.DROPDOWN, translation_key=translation_key
    )
    return SelectSelector(config)


SERIAL_MORE = probatio.Schema(
    {
        probatio.Required(CONF_PARITY, default="none"): _words(PARITIES, CONF_PARITY),
        probatio.Required(CONF_STOPBITS, default="1"): _words(("1", "2"), CONF_STOPBITS),
    }
)
CODE = probatio.Schema({probatio.Required(CONF_CODE): TextSelector()})
CLOUD_URL = probatio.Schema({probatio.Required(CONF_URL): TextSelector(TextSelectorConfig(type=TextSelectorType.URL))})


def pairing(name: str) -> probatio.Schema:
    """Ask for the cloud, the code it gave, and what this site is called."""
    return CLOUD_URL.extend(CODE.schema).extend(
        {
            probatio.Required(CONF_NAME, default=name): TextSelector(),
            probatio.Required(CONF_SEND_PLACE, default=False): BooleanSelector(),
        }
    )


def without_cloud(name: str) -> probatio.Schema:
    """Ask for what a cloud would decide otherwise."""
    intervals = SelectSelectorConfig(
        options=[str(seconds) for seconds in INTERVAL_CHOICES],
        mode=SelectSelectorMode.DROPDOWN,
        translation_key="interval",
    )
    return probatio.Schema(
        {
            probatio.Required(CONF_NAME, default=name): TextSelector(),
            probatio.Required(CONF_MAIN_OWNER): TextSelector(),
            probatio.Required(CONF_INTERVAL_SECONDS, default=str(INTERVAL_SECONDS_DEFAULT)): SelectSelector(intervals),
        }
    )


ENTITIES = probatio.Schema(
    {
        probatio.Optional(CONF_IMPORT_ENTITY): _sensor(SensorDeviceClass.ENERGY),
        probatio.Optional(CONF_EXPORT_ENTITY): _sensor(SensorDeviceClass.ENERGY),
        probatio.Optional(CONF_POWER_ENTITY): _sensor(SensorDeviceClass.POWER),
    }
)


def _modbus_fields(profiles: Mapping[str, str] | None) -> dict[Any, Any]:
    """Ask which register map the unit has; of a SunSpec device nothing is asked, it tells."""
    if profiles is None:
        return {}
    options = [SelectOptionDict(value=key, label=label) for key, label in profiles.items()]
    default = PROFILE_DEFAULT if PROFILE_DEFAULT in profiles else probatio.UNDEFINED
    select = SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN)
    return {probatio.Required(CONF_PROFILE, default=default): SelectSelector(select)}


def unit(line: str, profiles: Mapping[str, str] | None) -> probatio.Schema:
    """Ask where a Modbus unit answers and, by label, which register map it has."""
    unit_id = {probatio.Optional(CONF_UNIT_ID): _whole(1, UNIT_ID_MAX)}
    if line == LINE_SERIAL:
        return probatio.Schema(
            {
                probatio.Required(CONF_DEVICE): SerialPortSelector(),
                probatio.Required(CONF_BAUDRATE, default=BAUDRATE_DEFAULT): _whole(300, BAUDRATE_MAX),
                **_modbus_fields(profiles),
                **unit_id,
                probatio.Required(SECTION_MORE_OPTIONS): section(SERIAL_MORE, {"collapsed": True}),
            }
        )
    where = {
        probatio.Required(CONF_HOST): TextSelector(),
        probatio.Required(CONF_PORT, default=PORT_DEFAULT): _whole(1, 65535),
        **_modbus_fields(profiles),
    }
    if line == LINE_RTU_OVER_TCP:
        return probatio.Schema({**where, **unit_id})
    on_tcp = {probatio.Optional(CONF_UNIT_ID): _whole(0, UNIT_ID_TCP_MAX)}
    more = section(probatio.Schema(on_tcp), {"collapsed": True})
    return probatio.Schema({**where, probatio.Required(SECTION_MORE_OPTIONS): more})


def choice(field: str, options: Mapping[str, str]) -> probatio.Schema:
    """Ask for one of these, by label."""
    select = SelectSelectorConfig(
        options=[SelectOptionDict(value=key, label=label) for key, label in options.items()],
        mode=SelectSelectorMode.LIST,
    )
    return probatio.Schema({probatio.Required(field, default=next(iter(options))): SelectSelector(select)})


def search(lines: Mapping[str, str]) -> probatio.Schema:
    """Ask on which of the site's lines to look, and for which unit ids."""
    select = SelectSelectorConfig(
        options=[SelectOptionDict(value=key, label=label) for key, label in lines.items()],
        multiple=True,
        mode=SelectSelectorMode.LIST,
    )
    return probatio.Schema(
        {
            probatio.Required(CONF_LINES, default=list(lines)): SelectSelector(select),
            probatio.Required(CONF_FIRST_UNIT_ID, default=1): _whole(1, UNIT_ID_TCP_MAX),
            probatio.Required(CONF_LAST_UNIT_ID, default=SEARCH_UNIT_ID_LAST): _whole(1, UNIT_ID_TCP_MAX),
        }
    )


CUT_OFF = probatio.Schema(
    {
        probatio.Optional(CONF_BREAKER_ENTITY): EntitySelector(
            EntitySelectorConfig(filter=[EntityWithDeviceFilterSelectorConfig(domain=SWITCH_DOMAIN)])
        ),
        probatio.Optional(CONF_ESSENTIAL, default=False): BooleanSelector(),
    }
)


def _owner(owners: Mapping[str, str], *, new_owners: bool = False) -> SelectSelector:
    config = SelectSelectorConfig(
        options=[SelectOptionDict(value=key, label=name) for key, name in owners.items()],
        mode=SelectSelectorMode.DROPDOWN,
        custom_value=new_owners,
    )
    return SelectSelector(config)


def transfer(owners: Mapping[str, str], *, first: bool) -> probatio.Schema:
    """Ask who takes a tap over, and for its passcode; `first` where none is set yet, which is then typed twice."""
    # a browser that knows passwords of this Home Assistant must not fill one in
    config = TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password" if first else "off")
    fields: dict[Any, Any] = {
        probatio.Required(CONF_OWNER): _owner(owners),
        probatio.Required(CONF_PASSCODE): TextSelector(config),
    }
    return probatio.Schema(fields | ({probatio.Required(CONF_REPEATED): TextSelector(config)} if first else {}))


def details(
    owners: Mapping[str, str] | None,
    main_owner: str,
    *,
    new_owners: bool,
    kind: Kind,
    upstream: Mapping[str, str],
    island: bool,
) -> probatio.Schema:
    """Ask who owns the device and what it hangs below.

    `owners` None is a tap that changes hands only by a transfer. A meter hangs on the grid; a cable is plugged in
    somewhere on it, and cuts nobody off.
    """
    fields: dict[Any, Any] = {probatio.Required(CONF_NAME): TextSelector()}
    if owners is not None:
        fields[probatio.Required(CONF_OWNER, default=main_owner)] = _owner(owners, new_owners=new_owners)
    if kind != SUBENTRY_METER:
        options = [SelectOptionDict(value=UPSTREAM_GRID, label=UPSTREAM_GRID)]
        options += [SelectOptionDict(value=key, label=name) for key, name in upstream.items()]
        if island:
            options.append(SelectOptionDict(value=wire.ISLAND, label=wire.ISLAND))
        hangs_below = SelectSelectorConfig(
            options=options, mode=SelectSelectorMode.DROPDOWN, translation_key=CONF_UPSTREAM
        )
        first = next(iter(upstream), UPSTREAM_GRID)
        fields[probatio.Required(CONF_UPSTREAM, default=first)] = SelectSelector(hangs_below)
    fields[probatio.Optional(CONF_RATED_POWER_W)] = _whole(1, RATED_POWER_W_MAX, UnitOfPower.WATT)
    if kind not in (SUBENTRY_METER, SUBENTRY_CABLE):
        fields[probatio.Optional(SECTION_MORE_OPTIONS)] = section(CUT_OFF, {"collapsed": True})
    return probatio.Schema(fields)
