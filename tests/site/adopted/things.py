"""What the tests of adopted devices build them from."""

from typing import Any

from homeassistant.core import HomeAssistant

from custom_components.commonwatt.devices.adopted import SLOTS, AdoptedDevice, Adoption
from custom_components.commonwatt.devices.port import Kind


def show(hass: HomeAssistant, entity_id: str, state: object, unit: str | None = None, **attributes: Any) -> None:
    """Set an entity."""
    shown = attributes if unit is None else attributes | {"unit_of_measurement": unit}
    hass.states.async_set(entity_id, str(state), shown, force_update=True)


def counts(hass: HomeAssistant, entity_id: str, state: object, unit: str = "kWh", **attributes: Any) -> None:
    """Set a counter that may begin anew."""
    show(hass, entity_id, state, unit, state_class="total_increasing", **attributes)


def adopted(hass: HomeAssistant, kind: Kind = "tap", **more: Any) -> AdoptedDevice:
    """Return a device made of entities by slot; `inverted`, `direction` and `rated_power_w` are no slots."""
    said = {name: more.pop(name) for name in ("inverted", "direction", "rated_power_w") if name in more}
    entities = {slot.name: more.pop(slot.name) for slot in SLOTS[kind] if slot.name in more}
    assert not more, f"{more} are no slots of a {kind}"
    return AdoptedDevice(hass, Adoption(kind, entities, **said))


async def registers_wh(device: AdoptedDevice) -> tuple[float, float]:
    """Read a device; return import and export."""
    raw = (await device.async_read()).raw
    assert raw.import_wh is not None
    assert raw.export_wh is not None
    return raw.import_wh, raw.export_wh
