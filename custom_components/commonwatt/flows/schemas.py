"""The forms: which fields a person fills in, with which selector."""

from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN, SensorDeviceClass
from homeassistant.components.switch.const import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import CONF_CODE, CONF_HOST, CONF_NAME, CONF_PORT, CONF_URL, UnitOfPower
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
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio

from .. import wire
from ..const import (
    CONF_BREAKER_ENTITY,
    CONF_ESSENTIAL,
    CONF_EXPORT_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_INTERVAL_SECONDS,
    CONF_MAIN_OWNER,
    CONF_OWNER,
    CONF_PASSCODE,
    CONF_POWER_ENTITY,
    CONF_PROFILE,
    CONF_RATED_POWER_W,
    CONF_REPEATED,
    CONF_SEND_PLACE,
    CONF_UNIT_ID,
    CONF_UPSTREAM,
    INTERVAL_CHOICES,
    INTERVAL_SECONDS_DEFAULT,
    SECTION_MORE_OPTIONS,
    UPSTREAM_GRID,
)
from ..devices.profile import Profile

PORT_DEFAULT = 502
PROFILE_DEFAULT = "commonwatt_tap"
RATED_POWER_W_MAX = 10_000_000


def _whole(least: int, most: int, unit: str | None = None) -> probatio.All[Any]:
    config = NumberSelectorConfig(min=least, max=most, step=1, mode=NumberSelectorMode.BOX)
    if unit is not None:
        config["unit_of_measurement"] = unit
    return probatio.All(NumberSelector(config), probatio.Coerce(int))


def _sensor(device_class: SensorDeviceClass) -> EntitySelector:
    wanted = EntityWithDeviceFilterSelectorConfig(domain=SENSOR_DOMAIN, device_class=device_class)
    return EntitySelector(EntitySelectorConfig(filter=[wanted]))


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


def modbus(profiles: Iterable[Profile]) -> probatio.Schema:
    """Ask where the Modbus unit answers and which register map it has."""
    options = [SelectOptionDict(value=profile.key, label=profile.label) for profile in profiles]
    select = SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN)
    unit_id = probatio.Schema({probatio.Required(CONF_UNIT_ID, default=1): _whole(1, 247)})
    return probatio.Schema(
        {
            probatio.Required(CONF_HOST): TextSelector(),
            probatio.Required(CONF_PORT, default=PORT_DEFAULT): _whole(1, 65535),
            probatio.Required(CONF_PROFILE, default=PROFILE_DEFAULT): SelectSelector(select),
            probatio.Required(SECTION_MORE_OPTIONS): section(unit_id, {"collapsed": True}),
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
    owners: Mapping[str, str] | None, main_owner: str, *, new_owners: bool, upstream: Mapping[str, str] | None
) -> probatio.Schema:
    """Ask who owns the tap and what it hangs below.

    `owners` None is a tap that changes hands only by a transfer; `upstream` None is a meter, which hangs on the grid.
    """
    fields: dict[Any, Any] = {probatio.Required(CONF_NAME): TextSelector()}
    if owners is not None:
        fields[probatio.Required(CONF_OWNER, default=main_owner)] = _owner(owners, new_owners=new_owners)
    if upstream is not None:
        options = [SelectOptionDict(value=UPSTREAM_GRID, label=UPSTREAM_GRID)]
        options += [SelectOptionDict(value=key, label=name) for key, name in upstream.items()]
        options += [SelectOptionDict(value=wire.ISLAND, label=wire.ISLAND)]
        hangs_below = SelectSelectorConfig(
            options=options, mode=SelectSelectorMode.DROPDOWN, translation_key=CONF_UPSTREAM
        )
        first = next(iter(upstream), UPSTREAM_GRID)
        fields[probatio.Required(CONF_UPSTREAM, default=first)] = SelectSelector(hangs_below)
    fields[probatio.Optional(CONF_RATED_POWER_W)] = _whole(1, RATED_POWER_W_MAX, UnitOfPower.WATT)
    if upstream is not None:
        fields[probatio.Optional(SECTION_MORE_OPTIONS)] = section(CUT_OFF, {"collapsed": True})
    return probatio.Schema(fields)
