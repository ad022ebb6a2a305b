"""The words of charger states: what the integrations of chargers say, in the few words that are said here.

Collected from the states that Home Assistant's integrations declare (besen, blue_current, greencell, lektrico, ohme,
openevse, peblar, shelly, silla_prism, technove, tesla_wall_connector, tessie, tuya, victron_gx, wallbox), from the
status words of OCPP 1.6 and 2.0.1, from the letters of IEC 61851-1, and from what the makers Easee, Zaptec and go-e
call their states. A word that stands here alone means the same to all who use it.
"""

from collections.abc import Iterable, Mapping

from homeassistant.util import slugify

from ..port import ChargerState

_SAID: Mapping[ChargerState, Iterable[str]] = {
    "available": (
        "available",  # ocpp, blue_current, lektrico
        "not_connected",  # openevse, tesla_wall_connector, besen
        "no_ev_connected",  # peblar
        "unplugged",  # technove, ohme
        "disconnected",  # wallbox, easee, zaptec, tessie, victron_gx
        "idle",  # greencell, silla_prism, go-e
        "charger_free",  # shelly, tuya
        "a",
        "a1",
        "a2",
        "state_a",
    ),
    "plugged": (
        "preparing",  # ocpp
        "connected",  # openevse, lektrico, greencell, tesla_wall_connector, victron_gx
        "occupied",  # ocpp 2.0.1
        "ev_connected",
        "vehicle_detected",  # blue_current
        "plugged",
        "plugged_in",  # ohme
        "plugged_waiting",  # technove
        "pending_approval",  # ohme
        "need_auth",  # lektrico
        "awaiting_authorization",  # easee
        "awaiting_start",  # easee
        "ready_to_charge",  # easee
        "connected_requesting",  # zaptec
        "waiting_car",  # tesla_wall_connector
        "waitcar",  # go-e
        "wait_car",
        "waiting_for_car",  # greencell
        "waiting_for_car_demand",  # wallbox
        "waiting_for_rfid",  # victron_gx
        "waiting_for_start",
        "negotiating",  # tesla_wall_connector
        "start_charging",  # victron_gx
        "charger_insert",  # shelly, tuya
        "waiting",  # wallbox, silla_prism
        "waiting_for_swipe",  # besen
        "waiting_for_button",
        "starting",  # tessie
        "locked_car_connected",  # wallbox
        "cable_connected",
        "b",
        "b1",
        "b2",
        "state_b",
    ),
    "charging": (
        "charging",
        "charging_reduced",  # tesla_wall_connector
        "charging_limit",  # victron_gx
        "connected_charging",  # zaptec
        "plugged_charging",  # technove
        "charger_charging",  # shelly, tuya
        "c",
        "c1",
        "c2",
        "d",
        "d1",
        "d2",
        "state_c",
        "state_d",
    ),
    "discharging": ("discharging",),  # wallbox
    "paused": (
        "suspendedev",  # ocpp
        "suspended_ev",
        "suspendedevse",
        "suspended_evse",
        "suspended",  # peblar
        "finishing",  # ocpp
        "finished",  # ohme, greencell
        "charging_finished",  # tesla_wall_connector
        "connected_finished",  # zaptec
        "completed",  # easee
        "complete",  # go-e
        "charged",  # victron_gx
        "charger_end",  # shelly, tuya
        "charger_pause",
        "charger_wait",
        "completed_full_charge",  # besen
        "stopped",  # tessie
        "paused",
        "paused_by_scheduler",  # lektrico
        "sleeping",  # openevse
        "scheduled",  # wallbox, tessie
        "waiting_for_sun",  # victron_gx
        "low_soc",
        "waiting_in_queue_by_power_sharing",  # wallbox
        "waiting_in_queue_by_power_boost",
        "waiting_in_queue_by_eco_smart",
        "high_tariff_period",  # technove
        "out_of_activation_period",
        "switching_to_1_phase",  # victron_gx
        "switching_to_3_phase",
    ),
    "reserved": (
        "reserved",  # ocpp
        "charging_reservation",  # besen
    ),
    "out_of_service": (
        "out_of_service",
        "unavailable",  # ocpp, with a capital; in small letters it is Home Assistant's word for no answer
        "offline",  # blue_current
        "disabled",  # openevse
        "locked",  # wallbox, lektrico
        "updating",  # wallbox
        "updating_firmware",  # lektrico
        "booting",  # tesla_wall_connector
        "inoperative",
    ),
    "fault": (
        "faulted",  # ocpp
        "fault",
        "error",
        "invalid",  # peblar
        "vehicle_error",  # blue_current
        "error_car",  # greencell
        "error_evse",
        "charger_fault",  # shelly, tuya
        "charger_free_fault",
        "evse_fault",  # technove
        "charging_fault_1",  # besen
        "charging_fault_2",
        "ground_fault",
        "pilot_fault",
        "ventilation_required",
        "vent_required",  # openevse
        "diode_check_failed",
        "gfci_fault",
        "gfci_self_test_failure",
        "no_ground",
        "over_temperature",
        "stuck_relay",
        "welded_contacts_test_error",  # victron_gx
        "cp_input_test_error",
        "ground_test_error",
        "residual_current_detected",
        "overheating_detected",
        "overvoltage_detected",
        "undervoltage_detected",
        "waiting_mid_failed",  # wallbox
        "waiting_mid_safety_margin_exceeded",
        "e",
        "f",
        "state_e",
        "state_f",
    ),
}

# A word that integrations use in different senses, by integration.
OF_INTEGRATION: Mapping[tuple[str, str], ChargerState] = {
    ("wallbox", "ready"): "available",
    ("tesla_wall_connector", "ready"): "plugged",
}

STATES: Mapping[str, ChargerState] = {word: state for state, words in _SAID.items() for word in words}

# In these a car is plugged in, in those none is; the others do not say.
WITH_CAR: frozenset[ChargerState] = frozenset({"plugged", "charging", "discharging", "paused"})
WITHOUT_CAR: frozenset[ChargerState] = frozenset({"available"})


def charger_state(said: str, integration: str | None = None) -> ChargerState | None:
    """Return what a charger's own word means, said by an entity of this integration; None for a word unknown here."""
    word = slugify(said)
    return STATES.get(word) if integration is None else OF_INTEGRATION.get((integration, word), STATES.get(word))


def plugged(state: ChargerState) -> bool | None:
    """Return whether a car is plugged in while a charger is in this state; None where that does not follow."""
    if state in WITH_CAR:
        return True
    return False if state in WITHOUT_CAR else None
