"""What a cable may do: as the cloud says, never more than that, and in an order in which nothing goes astray."""

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.v2g.visit import (
    STRICTNESS,
    WORD_HOLDS_S,
    Effect,
    Here,
    Mode,
    Scene,
    Stay,
    Word,
    agreement_word,
    effect,
    is_plugged,
    is_writable,
    leave_orders,
    stay_now,
    stay_orders,
    with_word,
)
from custom_components.commonwatt.wire import Cause, Permission, Standing

NOW = 1_795_237_200
TAKES = frozenset({"permission", "site_id", "period_seconds", "agreement", "charge"})
HERE = Here("site-1", 1800)
ORDERLY: dict[str, Any] = {
    "permission": "allowed",
    "site_id": "site-1",
    "period_seconds": 1800,
    "agreement": "unknown",
    "charge": True,
}


def word(permission: Permission = "allowed", cause: Cause = "none", age_s: int = 0) -> Word:
    """Return what the cloud said."""
    return Word(Standing("CWC-1", "site-1", permission, cause, NOW - 99, 30, 100, 10), NOW - age_s)


def scene(**changes: Any) -> Scene:
    """Return a cable that is plugged in and allowed, at a site in touch with its cloud."""
    return replace(Scene("in_touch", Stay(NOW - 60, answered=True), word(), "v2g", 50.0, NOW), **changes)


def test_what_nothing_ever_restricted_is_allowed_since_no_time() -> None:
    """The cloud says 0 where it never decided anything: a person is not told of 1970."""
    never = word()
    never = replace(never, standing=replace(never.standing, since=0))
    assert effect(scene(word=never)).since is None
    assert effect(scene(word=word("denied", "stolen"))).since == NOW - 99


@pytest.mark.parametrize(
    ("changes", "permission", "cause"),
    [
        ({}, "allowed", "none"),
        ({"word": word("denied", "stolen")}, "denied", "stolen"),
        ({"contact": "no_cloud", "word": None, "stay": None}, "allowed", "none"),
        ({"stay": Stay(NOW)}, "charge_only", "waiting"),
        ({"stay": Stay(NOW), "word": None}, "charge_only", "waiting"),
        ({"stay": Stay(NOW), "word": word("denied", "mismatch")}, "denied", "mismatch"),
        ({"contact": "out_of_touch"}, "allowed", "none"),
        ({"contact": "out_of_touch", "stay": Stay(NOW)}, "allowed", "none"),
        ({"contact": "out_of_touch", "word": word(age_s=WORD_HOLDS_S - 1)}, "allowed", "none"),
        ({"contact": "out_of_touch", "word": word(age_s=WORD_HOLDS_S)}, "charge_only", "unreachable"),
        ({"contact": "out_of_touch", "word": word(age_s=-3600)}, "charge_only", "unreachable"),
        ({"contact": "out_of_touch", "word": None}, "charge_only", "unreachable"),
    ],
)
def test_the_newest_word_holds_for_a_day_and_nothing_else_lets_a_cable_discharge(
    changes: dict[str, Any], permission: str, cause: str
) -> None:
    """Until the cloud has answered, and once nobody knows any more, it may charge; who was refused stays refused."""
    decided = effect(scene(**changes))
    assert (decided.permission, decided.cause) == (permission, cause)
    assert decided.order == decided.permission


@pytest.mark.parametrize(("soc", "permission"), [(12.0, "charge_only"), (29.9, "charge_only"), (30.0, "denied")])
def test_nobody_is_stranded(soc: float, permission: str) -> None:
    """Below the floor a car may charge anywhere; at the floor it may not."""
    assert effect(scene(word=word("denied", "mismatch"), soc_percent=soc)).permission == permission
    assert effect(scene(word=word("denied", "mismatch"), soc_percent=None)).permission == "denied"


@pytest.mark.parametrize(
    ("mode", "resume", "order", "charge"),
    [
        ("v2g", False, "allowed", None),
        ("charge_only", False, "charge_only", None),
        ("off", False, "charge_only", False),
        ("v2g", True, "allowed", True),
        ("off", True, "charge_only", False),
    ],
)
def test_a_person_may_have_it_do_less(mode: Mode, resume: bool, order: str, charge: bool | None) -> None:
    """Never more; and whether a car charges is touched only to switch it off, and on again after that."""
    decided = effect(scene(mode=mode, resume=resume))
    assert (decided.permission, decided.order, decided.charge) == ("allowed", order, charge)


PERMISSIONS = st.sampled_from(sorted(STRICTNESS))
SCENES = st.builds(
    Scene,
    contact=st.sampled_from(("in_touch", "out_of_touch")),
    stay=st.none() | st.builds(Stay, st.just(NOW), st.booleans()),
    word=st.none() | st.builds(word, PERMISSIONS, st.just("operator"), st.integers(-90_000, 90_000)),
    mode=st.sampled_from(("off", "charge_only", "v2g")),
    soc_percent=st.none() | st.floats(0, 100),
    now=st.just(NOW),
)


@given(SCENES)
def test_with_a_cloud_only_its_own_fresh_word_lets_a_cable_discharge(found: Scene) -> None:
    """In whatever state site, cable and mode are."""
    decided = effect(found)
    if decided.order == "allowed":
        assert found.word is not None
        assert found.word.standing.permission == "allowed"
        assert found.word.holds(NOW)
        assert found.mode == "v2g"
    assert STRICTNESS[decided.order] >= STRICTNESS[decided.permission]


def allowed(order: Permission = "allowed", charge: bool | None = None) -> Effect:
    """Return a decision."""
    return Effect(order, "none", None, order, charge)


def test_a_cable_that_says_it_all_is_told_nothing() -> None:
    """Each register is written only when it differs."""
    assert stay_orders(Stay(NOW), allowed(), ORDERLY, TAKES, HERE) == []


def test_what_allows_less_comes_first_and_what_allows_more_last() -> None:
    """No energy flows back before the cable knows for which site, and none after it may not."""
    blank = ORDERLY | {"permission": "charge_only", "site_id": "", "period_seconds": 60}
    site = [("site_id", "site-1"), ("period_seconds", 1800)]
    assert stay_orders(Stay(NOW), allowed(), blank, TAKES, HERE) == [*site, ("permission", "allowed")]
    strict = blank | {"permission": "allowed"}
    found = stay_orders(Stay(NOW), allowed("denied", charge=False), strict, TAKES, HERE)
    assert found == [("permission", "denied"), ("charge", False), *site]


def test_only_what_a_cable_takes_is_written() -> None:
    """An older cable has no period; a site without a cloud has no id; one that is too long fits no register."""
    told = {"permission": "allowed", "agreement": "unknown"}
    assert stay_orders(Stay(NOW), allowed(), told, TAKES, HERE) == [("site_id", "site-1")]
    assert stay_orders(Stay(NOW), allowed(), told, frozenset({"permission"}), HERE) == []
    assert stay_orders(Stay(NOW), allowed(), ORDERLY | {"site_id": "x"}, TAKES, Here(None, 60)) == []
    odd = ORDERLY | {"period_seconds": 900}
    assert stay_orders(Stay(NOW), allowed(), odd, TAKES, Here("site-1", 3600)) == []
    assert not is_writable("s" * 37)
    assert not is_writable("")


def test_a_suspicion_is_told_as_not_known() -> None:
    """A cable knows match, mismatch and unknown."""
    assert [agreement_word(one) for one in ("match", "mismatch", "suspect", "unknown")] == [
        "match",
        "mismatch",
        "unknown",
        "unknown",
    ]
    [order] = stay_orders(Stay(NOW, agreement="mismatch"), allowed(), ORDERLY, TAKES, HERE)
    assert order == ("agreement", "mismatch")


def test_who_leaves_is_forgotten() -> None:
    """Its next host begins with a cable that may only charge and is nowhere; another site's cable is left alone."""
    left = leave_orders(ORDERLY, TAKES, "site-1")
    assert left == [("permission", "charge_only"), ("site_id", "")]
    assert leave_orders(ORDERLY | {"site_id": "elsewhere"}, TAKES, "site-1") == []
    assert leave_orders(ORDERLY, TAKES, None) == []
    assert leave_orders(ORDERLY | {"charge": False}, TAKES, None) == []
    assert leave_orders(ORDERLY | {"charge": False}, TAKES, None, mode="off") == [("charge", True)]


def test_a_stay_begins_and_ends_with_the_plug() -> None:
    """One that comes back from another site begins anew; what a cable does not say changes nothing."""
    stay = with_word(stay_now(None, {"plugged": True}, NOW, back=True, site="site-1"))
    assert stay == Stay(NOW, answered=True)
    assert stay_now(stay, {"plugged": True, "site_id": "site-1"}, NOW + 9, back=True, site="site-1") is stay
    assert stay_now(stay, {}, NOW + 9, back=False, site="site-1") is stay
    assert stay_now(stay, {"plugged": True, "site_id": "site-2"}, NOW + 9, back=False, site="site-1") is stay
    assert stay_now(stay, {"plugged": True, "site_id": "site-2"}, NOW + 9, back=True, site="site-1") == Stay(NOW + 9)
    assert stay_now(stay, {"plugged": True}, NOW + 9, back=True, site="site-1") == Stay(NOW + 9), "it has forgotten"
    assert stay_now(stay, {"plugged": True}, NOW + 9, back=True, site="site-1") == Stay(NOW + 9)
    assert stay_now(stay, {"plugged": False}, NOW + 9, back=False, site="site-1") is None
    assert with_word(None) is None
    assert [is_plugged(told) for told in ({"charger_state": "available"}, {"charger_state": "paused"}, {})] == [
        False,
        True,
        None,
    ]
