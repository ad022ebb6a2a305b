"""What the entities of well-known devices stand for is guessed from what their integrations say of them."""

from custom_components.commonwatt.devices.adopted.guess import Candidate, Guess, guess

type Said = tuple[str, str | None, str | None]  # what it is called, device class, unit


def sensors(*said: Said) -> list[Candidate]:
    """Return sensors."""
    return [Candidate(f"sensor.{text}", "sensor", text, device_class, unit) for text, device_class, unit in said]


def others(domain: str, *said: Said) -> list[Candidate]:
    """Return entities of another domain."""
    return [Candidate(f"{domain}.{text}", domain, text, device_class, unit) for text, device_class, unit in said]


def test_a_charger_with_three_phases() -> None:
    """As peblar describes its entities: mA, Wh, an enum for the control pilot, and a switch named charge."""
    entities = sensors(
        ("cp_state", "enum", None),
        ("charge_current_limit_source", "enum", None),
        ("current_total", "current", "mA"),
        *((f"current_phase_{n}", "current", "mA") for n in (1, 2, 3)),
        ("energy_session", "energy", "Wh"),
        ("energy_total", "energy", "Wh"),
        ("power_total", "power", "W"),
        *((f"power_phase_{n}", "power", "W") for n in (1, 2, 3)),
        *((f"voltage_phase_{n}", "voltage", "V") for n in (1, 2, 3)),
        ("uptime", "timestamp", None),
    )
    entities += others("number", ("charge_current_limit", "current", "A"))
    entities += others(
        "switch", ("force_single_phase", None, None), ("charge", None, None), ("socket_lock", None, None)
    )
    entities += others(
        "select", ("smart_charging", None, None), ("buzzer_volume", None, None), ("led_brightness", None, None)
    )
    entities += others("binary_sensor", ("active_error_codes", "problem", None), ("lock_state", "lock", None))
    found = guess("charger", entities)
    assert found.entities == {
        "import_entity": "sensor.energy_total",
        "power_entity": "sensor.power_total",
        "charger_state": "sensor.cp_state",
        "session_wh": "sensor.energy_session",
        "charge": "switch.charge",
        "current_limit_a": "number.charge_current_limit",
        "mode": "select.smart_charging",
        "current_a": "sensor.current_total",
        **{f"voltage_l{n}_v": f"sensor.voltage_phase_{n}" for n in (1, 2, 3)},
        **{f"current_l{n}_a": f"sensor.current_phase_{n}" for n in (1, 2, 3)},
        **{f"power_l{n}_w": f"sensor.power_phase_{n}" for n in (1, 2, 3)},
    }
    assert not found.inverted


def test_a_charger_that_tells_of_the_car() -> None:
    """As openevse and ohme do: a status, a plug, the car's charge."""
    entities = sensors(
        ("status", "enum", None),
        ("wifi_status", None, None),
        ("total_energy", "energy", "kWh"),
        ("session_energy", "energy", "Wh"),
        ("vehicle_battery_level", "battery", "%"),
        ("wifi_signal", "signal_strength", "dBm"),
    )
    entities += others("binary_sensor", ("vehicle_connected", "plug", None), ("mqtt_connected", "connectivity", None))
    entities += others("number", ("min_current", "current", "A"), ("max_current", "current", "A"))
    entities += others("select", ("charge_mode", None, None))
    assert guess("charger", entities).entities == {
        "import_entity": "sensor.total_energy",
        "charger_state": "sensor.status",
        "plugged": "binary_sensor.vehicle_connected",
        "session_wh": "sensor.session_energy",
        "current_limit_a": "number.max_current",
        "mode": "select.charge_mode",
        "soc_percent": "sensor.vehicle_battery_level",
    }


def test_a_battery_charges_in_and_discharges_out() -> None:
    """And the grid's and the house's powers of the same inverter are left alone."""
    entities = sensors(
        ("battery_charge_energy_total", "energy", "kWh"),
        ("battery_charge_energy_today", "energy", "kWh"),
        ("battery_discharge_energy_total", "energy", "kWh"),
        ("battery_discharge_energy_today", "energy", "kWh"),
        ("battery_power", "power", "W"),
        ("grid_power", "power", "W"),
        ("load_power", "power", "W"),
        ("pv_power", "power", "W"),
        ("battery_state_of_charge", "battery", "%"),
        ("battery_state_of_health", None, "%"),
        ("battery_capacity", "energy_storage", "kWh"),
    )
    entities += others(
        "number", ("charge_power_limit", "power", "W"), ("power_set_point", "power", "W"), ("minimum_soc", None, "%")
    )
    assert guess("battery", entities).entities == {
        "import_entity": "sensor.battery_charge_energy_total",
        "export_entity": "sensor.battery_discharge_energy_total",
        "power_entity": "sensor.battery_power",
        "soc_percent": "sensor.battery_state_of_charge",
        "set_point_w": "number.power_set_point",
        "capacity_wh": "sensor.battery_capacity",
    }


def test_a_solar_inverter_gives() -> None:
    """Its power is positive while it gives; the count of the day is no better than that of its life."""
    entities = sensors(
        ("energy_production_today", "energy", "kWh"),
        ("energy_production_lifetime", "energy", "MWh"),
        ("current_power_production", "power", "W"),
        ("frequency", "frequency", "Hz"),
    )
    found = guess("tap", entities)
    assert found.entities == {
        "export_entity": "sensor.energy_production_lifetime",
        "power_entity": "sensor.current_power_production",
        "frequency_hz": "sensor.frequency",
    }
    assert found.inverted
    assert found.direction is None
    only_power = guess("tap", entities[2:3])
    assert (only_power.inverted, only_power.direction) == (True, "export")


def test_a_meter_that_tells_both_ways_apart() -> None:
    """As smart meters do over their customer port: tariffs beside totals, and two powers."""
    entities = sensors(
        ("energy_consumption_tarif_1", "energy", "kWh"),
        ("energy_consumption_total", "energy", "kWh"),
        ("energy_production_total", "energy", "kWh"),
        ("power_consumption", "power", "kW"),
        ("power_production", "power", "kW"),
        ("power_consumption_phase_l1", "power", "kW"),
        ("voltage_phase_l1", "voltage", "V"),
    )
    found = guess("meter", entities)
    assert found.entities == {
        "import_entity": "sensor.energy_consumption_total",
        "export_entity": "sensor.energy_production_total",
        "power_entity": "sensor.power_consumption",
        "export_power_entity": "sensor.power_production",
        "power_l1_w": "sensor.power_consumption_phase_l1",
        "voltage_l1_v": "sensor.voltage_phase_l1",
    }
    assert not found.inverted


def test_only_a_count_of_the_day_is_better_than_none() -> None:
    """It is carried on."""
    assert guess("tap", sensors(("energy_today", "energy", "kWh"))).entities == {"import_entity": "sensor.energy_today"}


def test_nothing_is_guessed_from_nothing() -> None:
    """A thermometer is no tap."""
    assert guess("tap", sensors(("temperature", "temperature", "°C"), ("battery", "battery", "%"))) == Guess({})


def test_a_plug_flashed_with_tasmota() -> None:
    """Three counts of which one is for ever, and the powers that are not the active one."""
    entities = sensors(
        ("energy_today", "energy", "kWh"),
        ("energy_yesterday", "energy", "kWh"),
        ("energy_total", "energy", "kWh"),
        ("energy_power", "power", "W"),
        ("energy_apparentpower", "apparent_power", "VA"),
        ("energy_reactivepower", "reactive_power", "var"),
        ("energy_factor", "power_factor", None),
        ("energy_voltage", "voltage", "V"),
        ("energy_current", "current", "A"),
        ("wifi_rssi", "signal_strength", "dBm"),
    )
    entities += others("switch", ("", None, None))
    found = guess("tap", entities)
    assert found.breaker == "switch."
    assert found.entities == {
        "import_entity": "sensor.energy_total",
        "power_entity": "sensor.energy_power",
        "voltage_v": "sensor.energy_voltage",
        "current_a": "sensor.energy_current",
        "apparent_power_va": "sensor.energy_apparentpower",
        "reactive_power_var": "sensor.energy_reactivepower",
        "power_factor": "sensor.energy_factor",
    }


def test_a_relay_that_also_counts_what_comes_back() -> None:
    """As shelly's do; the device's temperature and its input are nothing of a tap's."""
    entities = sensors(
        ("energy", "energy", "kWh"),
        ("energy_returned", "energy", "kWh"),
        ("power", "power", "W"),
        ("voltage", "voltage", "V"),
        ("current", "current", "A"),
        ("frequency", "frequency", "Hz"),
        ("temperature", "temperature", "°C"),
    )
    entities += others("switch", ("output_0", None, None), ("cloud", None, None))
    entities += others("binary_sensor", ("overheating", "problem", None), ("input_0", "power", None))
    found = guess("tap", entities)
    assert found.breaker == "switch.output_0"
    assert not found.inverted
    assert found.entities == {
        "import_entity": "sensor.energy",
        "export_entity": "sensor.energy_returned",
        "power_entity": "sensor.power",
        "voltage_v": "sensor.voltage",
        "current_a": "sensor.current",
        "frequency_hz": "sensor.frequency",
    }


def test_a_zigbee_plug() -> None:
    """Its settings are no breaker."""
    entities = sensors(
        ("energy", "energy", "kWh"), ("power", "power", "W"), ("voltage", "voltage", "V"), ("current", "current", "A")
    )
    entities += others("switch", ("child_lock", None, None), ("", None, None))
    entities += others("select", ("power_outage_memory", None, None), ("indicator_mode", None, None))
    found = guess("tap", entities)
    assert found.breaker == "switch."
    assert found.entities.keys() == {"import_entity", "power_entity", "voltage_v", "current_a"}


def test_a_battery_that_says_import_and_export() -> None:
    """Towards the battery and from it."""
    entities = sensors(
        ("battery_export", "energy", "kWh"),
        ("battery_import", "energy", "kWh"),
        ("battery_power", "power", "kW"),
        ("charge", "battery", "%"),
    )
    assert guess("battery", entities).entities == {
        "import_entity": "sensor.battery_import",
        "export_entity": "sensor.battery_export",
        "power_entity": "sensor.battery_power",
        "soc_percent": "sensor.charge",
    }
