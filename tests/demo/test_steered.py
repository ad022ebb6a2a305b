"""Simulated chargers, cables and batteries: they obey within their bounds, and lose or make no energy."""

from hypothesis import given, settings, strategies as st
import pytest

from demo.register_map import Kind
from demo.signed import PAGE_BYTES, PAGE_WORDS, SignedIntervals
from demo.steered import FORGOTTEN_MS, Permission, State, Steered

BEGIN_MS = 1_795_237_200_000  # 2026-11-21T05:00:00Z, a half hour's beginning
HOUR_MS = 3_600_000


def device(kind: Kind = Kind.CABLE, **changes: object) -> Steered:
    """Return a device with 40 kWh behind it, half of them stored."""
    return Steered(**{"kind": kind, "serial": "C-1", "now_ms": BEGIN_MS} | changes)  # type: ignore[arg-type]


def written(value: int) -> list[int]:
    """Return a set-point's words."""
    return list(divmod(value & 0xFFFF_FFFF, 65_536))


def test_every_kind_lays_out_the_same_map() -> None:
    """113 registers; what a kind has not is not implemented, never zero."""
    for kind in (Kind.CHARGER, Kind.CABLE, Kind.BATTERY):
        words = device(kind).words()
        assert (len(words), words[2], words[3]) == (113, 1, kind)
        assert all(0 <= word <= 0xFFFF for word in words)
    assert device(Kind.BATTERY).words()[31:33] == [0xFFFF, 0xFFFF]
    assert device(Kind.CHARGER).words()[41:43] == [0x8000, 0]


def test_a_car_charges_at_the_limit_and_stops_when_it_may_not() -> None:
    """16 A at 230 V are 3680 W; 3.68 kWh in an hour; paused, nothing."""
    cable = device()
    cable.advance(BEGIN_MS + HOUR_MS)
    assert (cable.power_w, cable.registers_wh, cable.state) == (3_680, (3_680, 0), State.CHARGING)
    assert cable.write(40, [0]) is None
    cable.advance(BEGIN_MS + 2 * HOUR_MS)
    assert (cable.power_w, cable.registers_wh, cable.state) == (0, (3_680, 0), State.PAUSED)


def test_behind_an_open_breaker_nothing_flows() -> None:
    """It is the charger's own contactor: a car stays plugged in, and waits."""
    charger = device(Kind.CHARGER)
    assert charger.words()[27:29] == [1, 1]
    assert charger.write(28, [0]) is None
    assert (charger.power_w, charger.state, charger.words()[27:29]) == (0, State.PAUSED, [0, 0])


@pytest.mark.parametrize(
    ("kind", "permission", "wished", "power_w"),
    [
        (Kind.CABLE, Permission.ALLOWED, -2_000, -2_000),
        (Kind.CABLE, Permission.ALLOWED, -7_000, -3_680),
        (Kind.CABLE, Permission.CHARGE_ONLY, -2_000, 0),
        (Kind.CABLE, Permission.CHARGE_ONLY, 2_000, 2_000),
        (Kind.CABLE, Permission.DENIED, 2_000, 0),
        (Kind.BATTERY, Permission.ALLOWED, -7_000, -7_000),
        (Kind.BATTERY, Permission.ALLOWED, 0, 0),
    ],
)
def test_a_set_point_binds_within_limit_and_permission(
    kind: Kind, permission: Permission, wished: int, power_w: int
) -> None:
    """It may do less, never more; charge only means never back."""
    steered = device(kind, permission=permission)
    assert steered.write(41, written(wished)) is None
    assert steered.power_w == power_w


def test_a_set_point_of_somebody_who_went_away_is_forgotten() -> None:
    """After ten minutes without a read a battery rests again; with reads it goes on."""
    battery = device(Kind.BATTERY)
    battery.write(41, written(-3_600))
    battery.advance(BEGIN_MS + FORGOTTEN_MS // 2)
    battery.heard()
    battery.advance(BEGIN_MS + FORGOTTEN_MS)
    assert battery.power_w == -3_600
    battery.advance(BEGIN_MS + 5 * FORGOTTEN_MS)
    assert (battery.power_w, battery.registers_wh) == (0, (0, 900))  # 15 minutes at 3.6 kW


@pytest.mark.parametrize(
    ("kind", "address", "words", "wrong"),
    [
        (Kind.CABLE, 38, [59], "value"),
        (Kind.CABLE, 38, [321], "value"),
        (Kind.CABLE, 40, [2], "value"),
        (Kind.CHARGER, 28, [2], "value"),
        (Kind.BATTERY, 28, [0], "address"),
        (Kind.CABLE, 41, written(-8_000), "value"),
        (Kind.CABLE, 41, [0], "address"),
        (Kind.CABLE, 45, [3], "value"),
        (Kind.CABLE, 12, [0], "address"),
        (Kind.CABLE, 87, [0xFFFF] * 18, "value"),
        (Kind.CHARGER, 41, written(100), "address"),
        (Kind.CHARGER, 45, [0], "address"),
        (Kind.BATTERY, 38, [100], "address"),
        (Kind.BATTERY, 40, [1], "address"),
    ],
)
def test_what_is_out_of_range_or_not_there_changes_nothing(
    kind: Kind, address: int, words: list[int], wrong: str
) -> None:
    """A wrong value and a register that is not there are told apart."""
    steered = device(kind)
    before = steered.words()
    assert steered.write(address, words) == wrong
    assert steered.words() == before


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-7_360, 7_360), st.integers(60, 320), st.booleans(), st.integers(1, 5 * HOUR_MS)),
        max_size=12,
    )
)
def test_energy_is_neither_lost_nor_made(steps: list[tuple[int, int, bool, int]]) -> None:
    """Whatever is told, what came in less what went out is what is stored, never below empty nor above full."""
    cable = device()
    now_ms = BEGIN_MS
    for set_point_w, limit_da, charge, span_ms in steps:
        cable.write(41, written(set_point_w))
        cable.write(38, [limit_da])
        cable.write(40, [int(charge)])
        now_ms += span_ms
        cable.advance(now_ms)
        cable.heard()
        import_wh, export_wh = cable.registers_wh
        stored_wh = cable.words()[35] * 40  # 0.1 % of 40 kWh
        assert abs(20_000 + import_wh - export_wh - stored_wh) <= 41
        assert 0 <= stored_wh <= 40_000


def test_each_half_hour_and_each_end_of_a_session_is_signed_once() -> None:
    """Two whole half hours and ten minutes: three records, numbered without a gap; unplugged, none."""
    cable = device(user="dora")
    cable.advance(BEGIN_MS + HOUR_MS + 600_000)
    cable.plug(plugged=False)
    cable.advance(BEGIN_MS + 3 * HOUR_MS)
    assert (cable.signed.newest, cable.signed.oldest) == (3, 1)
    assert '"TX":"E"' in cable.signed.record(3)
    assert cable.signed.record(4) == ""
    cable.plug(plugged=True)
    assert (cable.state, cable.words()[33:35]) == (State.CHARGING, [0, 0])
    cable.advance(BEGIN_MS + 3 * HOUR_MS + 60_000)
    cable.plug(plugged=False)
    assert cable.signed.newest == 4
    assert cable.state is State.AVAILABLE


def test_old_records_are_gone_and_say_so() -> None:
    """A mailbox that holds two forgets the third oldest."""
    signed = SignedIntervals("C-1", held=2)
    for number in range(4):
        signed.close((number, number + 1), (0, 0), (1, 0), "", "C")
    assert (signed.oldest, signed.newest, signed.record(2)) == (3, 4, "")
    signed.selected = 2
    assert signed.page_words()[:3] == [0, 2, 0]


def test_pages_put_together_are_the_record() -> None:
    """Every page names its record and the record's length."""
    signed = SignedIntervals("C-1")
    signed.close((BEGIN_MS, BEGIN_MS + HOUR_MS), (0, 0), (1, 0), "dora", "C")
    signed.selected = 1
    words, text = signed.page_words(), signed.record(1)
    pages = [words[at : at + PAGE_WORDS] for at in range(0, len(words), PAGE_WORDS)]
    assert all(page[:3] == [0, 1, len(text)] for page in pages)
    raw = b"".join(word.to_bytes(2) for page in pages for word in page[3:])
    assert raw[: len(text)].decode() == text
    assert PAGE_BYTES == 234
