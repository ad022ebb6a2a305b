"""Gives a person something to look at: a dashboard of the house, shown first, and Home Assistant's own for energy."""

from collections.abc import Iterable

from .homeassistant import HomeAssistant
from .house import DEVICES, MAIN_METER
from .site import Entities

URL_PATH = "sunny-street"
TITLE = "Sunny Street"
SOLAR = "pv"
SOLAR_PRODUCTION = "sensor.solar_production"  # from the configuration: the Energy dashboard wants production positive
STEERED_SHOWN = (
    *("v2g_mode", "charge", "current_limit", "set_point", "power", "charger_state", "state_of_charge"),
    *("permission", "agreement", "reward_today", "reward_total", "reward_pending"),
)
FEATURES = {
    "v2g_mode": "select-options",
    "charge": "toggle",
    "current_limit": "numeric-input",
    "set_point": "numeric-input",
}
GRAPH_HOURS = 0.25
GRAPH_DEVICES = (MAIN_METER.key, SOLAR, "ev", "heat_pump")
ABOUT = (
    "A home in Konstanz as it was measured in May 2016: half an hour of it passes here every **{seconds} seconds**.\n\n"
    "**Anna** owns the house and its main meter, **Ben** charges the car and uses the kitchen and the laundry, "
    "**Sun** owns the roof. Energy is positive where it is used and negative where it is supplied. "
    "The cloud settles each interval as soon as it is over; the balance is Anna's, in points. "
    "The car port and the home battery are simulated: switch charging on, and the main meter follows.\n\n"
    "**Dora** came by with her own V2G cable and feeds the house from her car. The cable signs what it gave, the site "
    "reports what the main meter shows, and the cloud judges both before it rewards her. Whether the meter agrees is "
    "unknown here at first: a site learns over a day what else is behind its meter.\n\n"
    "Measurements: Open Power System Data, CoSSMic, CC-BY-4.0."
)

type Card = dict[str, object]


async def show_dashboards(assistant: HomeAssistant, entities: Entities, interval_seconds: int) -> None:
    """Create the house's dashboard and open it first; fill the one for energy."""
    created = {"url_path": URL_PATH, "title": TITLE, "icon": "mdi:home-lightning-bolt"}
    await assistant.command("lovelace/dashboards/create", **created)
    config = {"views": [_view(entities, interval_seconds)]}
    await assistant.command("lovelace/config/save", url_path=URL_PATH, config=config)
    await assistant.command("frontend/set_system_data", key="core", value={"default_panel": URL_PATH})
    await assistant.command("energy/save_prefs", **_energy(entities))


def _view(entities: Entities, interval_seconds: int) -> dict[str, object]:
    site, devices = entities.site, entities.devices
    owners = _tiles("device", sorted(site["net_energy_interval"]))
    shown = ("balance", "cost_today", "local_share_today", "last_settled_interval", "cloud_link")
    settled = _tiles("entity", [entity for key in shown for entity in site[key]])
    power = _tiles("device", [sensors.power for sensors in devices.values()])
    graph: Card = {
        "type": "history-graph",
        "hours_to_show": GRAPH_HOURS,
        "entities": [devices[key].power for key in GRAPH_DEVICES],
    }
    about: Card = {"type": "markdown", "content": ABOUT.format(seconds=interval_seconds)}
    sections = [
        _section("Owners, in the last interval", [*owners, _heading("Settled by the cloud"), *settled]),
        _section("Power now", [*power, *_steered(entities)]),
        _section("The last quarter of an hour", [graph, about]),
    ]
    return {"title": TITLE, "type": "sections", "max_columns": len(sections), "sections": sections}


def _steered(entities: Entities) -> list[Card]:
    """Return what obeys: a person may switch charging on, and see the house's meter follow."""
    cards: list[Card] = []
    for name, found in entities.steered.items():
        shown = [key for key in STEERED_SHOWN if key in found]
        tiles = [{"type": "tile", "entity": found[key], "name": {"type": "entity"}} | _feature(key) for key in shown]
        cards += [_heading(f"{name}: try it"), *tiles]
    return cards


def _feature(key: str) -> Card:
    if key not in FEATURES:
        return {}
    how = {"style": "slider"} if FEATURES[key] == "numeric-input" else {}
    return {"features": [{"type": FEATURES[key], **how}]}


def _section(title: str, cards: Iterable[Card]) -> Card:
    return {"type": "grid", "cards": [_heading(title), *cards]}


def _heading(title: str) -> Card:
    return {"type": "heading", "heading": title}


def _tiles(called_by: str, entities: Iterable[str]) -> list[Card]:
    return [{"type": "tile", "entity": entity, "name": {"type": called_by}} for entity in entities]


def _energy(entities: Entities) -> dict[str, object]:
    """Return what is grid, what is sun, and which devices there are."""
    main, solar = entities.devices[MAIN_METER.key], entities.devices[SOLAR]
    grid = {
        "type": "grid",
        "stat_energy_from": main.import_energy,
        "stat_energy_to": main.export_energy,
        "stat_rate": main.power,
        "cost_adjustment_day": 0,
    }
    sun = {"type": "solar", "stat_energy_from": solar.export_energy, "stat_rate": SOLAR_PRODUCTION}
    consumption = [
        {
            "name": device.name,
            "stat_consumption": entities.devices[device.key].import_energy,
            "stat_rate": entities.devices[device.key].power,
        }
        for device in DEVICES
        if device.key not in {MAIN_METER.key, SOLAR}
    ]
    return {"energy_sources": [grid, sun], "device_consumption": consumption}
