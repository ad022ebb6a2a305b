"""Step challenges: what the meter shows of a step, what several say together, and when and how far a cable may step."""

from fractions import Fraction
from math import log
from random import Random

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.v2g.challenge import (
    ERROR_PERMILLE_MAX,
    EVIDENCE_AGAINST,
    EVIDENCE_FOR,
    LEAD_SECONDS,
    MATCH_EVIDENCE,
    MISMATCH_EVIDENCE,
    SETTLE_SECONDS,
    SHARE_LIMIT_PERMILLE,
    SLOT_SECONDS,
    SOC_MARGIN_PERCENT,
    STEP_SECONDS,
    STEP_W,
    STEP_W_MIN,
    Challenge,
    Drawn,
    Judgement,
    Response,
    Room,
    Sample,
    Shown,
    judge,
    response,
    schedule,
    step_w,
)

AT = 1_795_262_400_000
steps = st.integers(STEP_W_MIN, 22_000).flatmap(lambda size: st.sampled_from([size, -size]))
verdicts = st.lists(st.sampled_from(["match", "mismatch", "unknown"]), max_size=60)


def meter(
    step: int, share: Fraction = Fraction(1), load: int = 400, slope: int = 0, noise: Random | None = None
) -> list[Sample]:
    """Return what a meter shows second by second, of a house whose load goes on evenly by `slope` W a second."""
    samples = []
    for second in range(-LEAD_SECONDS - 5, STEP_SECONDS + SETTLE_SECONDS + LEAD_SECONDS + 5):
        shown = step * share if 0 <= second < STEP_SECONDS else 0
        extra = noise.gauss(0, 15) if noise else 0
        samples.append((AT + 1000 * second, round(load + slope * second + shown + extra)))
    return samples


@given(steps, st.integers(-20_000, 20_000))
def test_an_honest_meter_shows_the_whole_step(step: int, load: int) -> None:
    """Of any size, towards the car or from it, whatever else the house takes or gives."""
    assert response(meter(step, load=load), Challenge(AT, step)) == Response("match", 1000, 0)


@given(steps, st.integers(0, 1000))
def test_the_share_is_what_arrives(step: int, permille: int) -> None:
    """To a thousandth and what whole watts leave out; beyond the limit on either side the verdict is sure."""
    shown = response(meter(step, Fraction(permille, 1000)), Challenge(AT, step))
    assert shown.share_permille is not None
    assert abs(shown.share_permille - permille) <= 2
    if permille < SHARE_LIMIT_PERMILLE - 3:
        assert shown.verdict == "mismatch"
    if permille > SHARE_LIMIT_PERMILLE + 3:
        assert shown.verdict == "match"


@given(steps, st.integers(0, 1000), st.integers(-20, 20))
def test_an_even_drift_of_the_load_moves_no_share_and_counts_as_error(step: int, permille: int, slope: int) -> None:
    """The windows before and after lie as far from the one between; what drifted is doubted all the same."""
    shown = response(meter(step, Fraction(permille, 1000), slope=slope), Challenge(AT, step))
    assert shown.share_permille is not None
    assert shown.error_permille is not None
    assert abs(shown.share_permille - permille) <= 2
    half_way, deviation = 22 * abs(slope), 5 * abs(slope)
    assert abs(shown.error_permille - 1000 * (half_way + deviation) / abs(step)) <= 3


@given(steps, st.integers(0, 1000), st.randoms(use_true_random=False))
def test_a_step_down_is_judged_as_one_up(step: int, permille: int, random: Random) -> None:
    """With the meter's powers turned round, exactly the same comes out."""
    samples = meter(step, Fraction(permille, 1000), noise=random)
    turned = [(at, -power) for at, power in samples]
    assert response(samples, Challenge(AT, step)) == response(turned, Challenge(AT, -step))


@given(steps, st.randoms(use_true_random=False))
def test_samples_may_come_in_any_order(step: int, random: Random) -> None:
    """They have their times."""
    samples = meter(step, noise=random)
    mixed = random.sample(samples, len(samples))
    assert response(mixed, Challenge(AT, step)) == response(samples, Challenge(AT, step))


def test_a_few_spikes_move_nothing() -> None:
    """A motor starts, a reading is wrong: three of sixteen samples of a window, of any height."""
    samples = [(at, 90_000 if (at - AT) // 1000 in {-3, 7, 8, 19, 30} else power) for at, power in meter(2000)]
    assert response(samples, Challenge(AT, 2000)) == Response("match", 1000, 0)


@given(st.integers(300, 5000), st.integers(-LEAD_SECONDS, STEP_SECONDS + SETTLE_SECONDS + LEAD_SECONDS))
def test_one_switch_of_the_house_never_makes_an_honest_step_a_mismatch(size: int, second: int) -> None:
    """A load that is switched on or off once, at any second, is seen in the neighbours: at worst nothing is said."""
    for change in (size, -size):
        samples = [(at, power + (change if at >= AT + 1000 * second else 0)) for at, power in meter(2000)]
        assert response(samples, Challenge(AT, 2000)).verdict != "mismatch"


def test_a_restless_house_says_nothing() -> None:
    """An induction hob that goes on and off each few seconds."""
    samples = [(at, power + (1800 if at // 4000 % 2 else 0)) for at, power in meter(2000)]
    shown = response(samples, Challenge(AT, 2000))
    assert shown.verdict == "unknown"
    assert shown.error_permille is not None
    assert shown.error_permille > ERROR_PERMILLE_MAX


def test_a_house_that_is_restless_during_the_step_alone_says_nothing() -> None:
    """Its median may be what it should: half of the seconds were somewhere else."""
    samples = [
        (at, power + (0 if at < AT or at >= AT + 20_000 else 900 if at // 1000 % 2 else -900))
        for at, power in meter(2000)
    ]
    shown = response(samples, Challenge(AT, 2000))
    assert (shown.verdict, shown.share_permille) == ("unknown", 1000)


@pytest.mark.parametrize(("permille", "sure"), [(770, "mismatch"), (830, "match")])
def test_what_lies_nearer_to_the_limit_than_its_error_says_nothing(permille: int, sure: Shown) -> None:
    """On either side; the same share without a drift is sure."""
    share, challenge = Fraction(permille, 1000), Challenge(AT, 2000)
    assert response(meter(2000, share), challenge).verdict == sure
    assert response(meter(2000, share, slope=4), challenge).verdict == "unknown"


def test_a_meter_that_shows_far_more_says_nothing() -> None:
    """The house did something too, just then; that is nobody's proof."""
    assert response(meter(2000, Fraction(3, 2)), Challenge(AT, 2000)).verdict == "unknown"


@pytest.mark.parametrize("window", [range(-LEAD_SECONDS, 0), range(SETTLE_SECONDS, STEP_SECONDS), range(24, 44)])
def test_with_too_few_samples_in_a_window_nothing_is_said(window: range) -> None:
    """Before, during or after: five are enough, four are not."""

    def with_samples(count: int) -> Response:
        samples = [item for item in meter(2000) if (item[0] - AT) // 1000 not in window[count:]]
        return response(samples, Challenge(AT, 2000))

    assert with_samples(5) == Response("match", 1000, 0)
    assert with_samples(4) == Response("unknown")


def test_a_step_too_small_to_be_told_is_refused() -> None:
    """We asked for it ourselves, so it is an error."""
    with pytest.raises(ValueError, match="less than 500 W"):
        Challenge(AT, -499)


def test_the_evidence_is_what_it_says() -> None:
    """The thousandths of logarithms, rounded for the host."""
    assert 0 <= 1000 * log(0.9 / 0.01) - MISMATCH_EVIDENCE < 1
    assert 0 <= 1000 * log(0.1 / 0.99) - MATCH_EVIDENCE < 1
    assert 0 <= EVIDENCE_AGAINST - 1000 * log(100_000) < 1
    assert 0 <= EVIDENCE_FOR - 1000 * log(1_000) < 1


def test_three_mismatches_are_a_judgement_and_two_are_none() -> None:
    """Unknown ones between them say nothing; once judged, it stands."""
    two: list[Shown] = ["mismatch", "unknown", "mismatch", "unknown"]
    assert judge(two).verdict == "unknown"
    three = judge([*two, "mismatch"])
    assert (three.verdict, three.counted) == ("mismatch", 3)
    assert judge(["match"] * 50, three).verdict == "mismatch"


def test_a_good_name_is_no_credit_for_later() -> None:
    """A host who was honest for a year is found as soon as one who was never seen before."""
    year: list[Shown] = ["match"] * 10_000
    assert judge(year).verdict == "match"
    assert judge(["mismatch"] * 3, judge(year)).verdict == "mismatch"


def test_a_single_mismatch_is_forgotten() -> None:
    """Four matches clear a host, whatever one challenge said before."""
    assert judge(["match"] * 3).verdict == "unknown"
    assert judge(["match"] * 4).verdict == "match"
    assert judge(["match"] * 4, judge(["mismatch"])).verdict == "match"


@given(verdicts, verdicts)
def test_judging_in_parts_is_judging_at_once(first: list[Shown], then: list[Shown]) -> None:
    """What is kept between two challenges is all there is to keep."""
    assert judge(then, judge(first)) == judge([*first, *then])


@given(verdicts)
def test_a_mismatch_takes_three(said: list[Shown]) -> None:
    """Never fewer; and one more match never speaks against the host."""
    judged = judge(said)
    if judged.verdict == "mismatch":
        assert said.count("mismatch") >= 3
    assert judge(["match"], judged).against <= judged.against


def test_false_alarms_stay_below_the_bound() -> None:
    """At one mismatch in a hundred, the most that is promised for, 3 000 hosts of 100 challenges each: at most 3."""
    random = Random(7)
    alarms = 0
    for _ in range(3_000):
        said: list[Shown] = ["mismatch" if random.random() < 0.01 else "match" for _ in range(100)]
        alarms += judge(said).verdict == "mismatch"
    assert alarms <= 3_000 * 100 / 100_000


def test_the_empty_judgement_is_open() -> None:
    """Nothing said, nothing judged."""
    assert judge([]) == Judgement()


@given(st.binary(min_size=16, max_size=32), st.integers(0, 10**7))
def test_a_challenge_lies_in_its_slot_with_its_neighbours(secret: bytes, slot: int) -> None:
    """So there is at most one in each, and no two touch."""
    drawn = schedule(secret, "C1", slot)
    assert drawn.second >= LEAD_SECONDS
    assert drawn.second + STEP_SECONDS + SETTLE_SECONDS + LEAD_SECONDS <= SLOT_SECONDS
    assert schedule(secret, "C1", slot) == drawn


def test_nobody_without_the_secret_foresees_a_challenge() -> None:
    """Over a thousand slots: every part of the slot as often, both ways as often, and other cables at other times."""
    drawn = [schedule(b"secret of this site", "C1", slot) for slot in range(1000)]
    other = [schedule(b"secret of this site", "C2", slot) for slot in range(1000)]
    guessed = [schedule(b"another secret", "C1", slot) for slot in range(1000)]
    fourths = [sum((item.second - LEAD_SECONDS) // 97 == part for item in drawn) for part in range(4)]
    assert all(200 <= count <= 300 for count in fourths)
    assert 440 <= sum(item.up for item in drawn) <= 560
    assert sum(mine == theirs for mine, theirs in zip(drawn, other, strict=True)) < 10
    assert sum(mine == theirs for mine, theirs in zip(drawn, guessed, strict=True)) < 10


rooms = st.builds(
    Room,
    permission=st.sampled_from(["allowed", "charge_only", "denied"]),
    soc_percent=st.none() | st.integers(0, 100),
    soc_floor_percent=st.integers(0, 100),
    power_w=st.integers(-11_000, 11_000),
    least_w=st.integers(-11_000, 0),
    most_w=st.integers(0, 11_000),
)


@given(rooms, st.booleans())
def test_a_step_never_does_what_the_cable_may_not(room: Room, up: bool) -> None:
    """Denied or of unknown charge: none. Never further from zero than limits, permission and charge allow."""
    step = step_w(room, Drawn(20, up))
    if room.permission == "denied" or room.soc_percent is None:
        assert step is None
    if step is None or room.soc_percent is None:
        return
    assert STEP_W_MIN <= abs(step) <= STEP_W
    power = room.power_w + step
    if step < 0 and power < 0:
        assert room.permission == "allowed"
        assert room.soc_percent > room.soc_floor_percent + SOC_MARGIN_PERCENT
        assert power >= room.least_w
    if step > 0 and power > 0:
        assert room.soc_percent < 100 - SOC_MARGIN_PERCENT
        assert power <= room.most_w


def test_a_cable_steps_the_way_that_is_drawn_where_it_can() -> None:
    """Idle and allowed both ways are open; a full car steps down, one at its floor up."""
    free = Room("allowed", 60, 30, 0, -7000, 7000)
    assert step_w(free, Drawn(20, True)) == STEP_W
    assert step_w(free, Drawn(20, False)) == -STEP_W
    assert step_w(Room("allowed", 97, 30, 0, -7000, 7000), Drawn(20, True)) == -STEP_W
    assert step_w(Room("allowed", 33, 30, 0, -7000, 7000), Drawn(20, False)) == STEP_W
    assert step_w(Room("charge_only", 60, 30, 0, -7000, 7000), Drawn(20, False)) == STEP_W
    assert step_w(Room("charge_only", 97, 30, 0, -7000, 7000), Drawn(20, True)) is None


def test_what_a_car_gives_may_always_be_given_less() -> None:
    """A full car that discharges steps up to nothing, and no further."""
    assert step_w(Room("allowed", 99, 30, -1500, -7000, 7000), Drawn(20, True)) == 1500
