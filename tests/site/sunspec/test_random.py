"""Whatever a device answers, it is a value or a DeviceError: nothing else is raised, and nothing told is no number."""

import asyncio
from contextlib import suppress
import math
from typing import Any

from hypothesis import example, given, settings, strategies as st
from modbus_connection.mock import MockModbusConnection
import pytest

from custom_components.commonwatt.devices.port import QUANTITIES, Answer
from custom_components.commonwatt.devices.sunspec import async_find, sunspec_device
from custom_components.commonwatt.devices.sunspec.models import MODELS, length_least
from custom_components.commonwatt.errors import DeviceError

from .definitions import END, MARKER, common, kaco

WORD = st.integers(0, 0xFFFF) | st.sampled_from([0, 1, 0x7FC0, 0x7F80, 0xFF80, 0x8000, 0xFFFE, 0xFFFF])
PARTS = [f"{model_id}" for model_id in MODELS] + ["203.2", "999", ""]


@st.composite
def models(draw: st.DrawFn) -> list[int]:
    """Draw a model that is read here, about as long as it should be, full of anything."""
    model_id = draw(st.sampled_from(sorted(MODELS)))
    length = length_least(model_id) + draw(st.sampled_from([0, 0, 0, 1, 5, 20, 25, 40, -1]))
    return [model_id, length, *draw(st.lists(WORD, min_size=length, max_size=length))]


def chains() -> st.SearchStrategy[list[int]]:
    """Return chains of such models, most of them with an end."""
    inner = st.lists(st.just(common()) | models(), max_size=6).map(lambda found: [word for m in found for word in m])
    return st.tuples(inner, st.sampled_from([END, END, END, []])).map(lambda found: [*MARKER, *found[0], *found[1]])


async def ask(words: list[int], part: str) -> list[Answer]:
    """Find a device with these words and read it by a key, and tell it something, as often as it takes."""
    unit = MockModbusConnection().for_unit(1)
    unit.holding[40000] = words
    answers = []
    keys = [part]
    with suppress(DeviceError):
        keys += [found.key for found in (await async_find(unit)).parts]
    for key in keys:
        device = sunspec_device(unit, key, None)
        for _ in range(2):
            try:
                answers.append(await device.async_read())
            except DeviceError:
                continue
            for command in device.commands:
                value: Any = "auto" if command == "mode" else 0
                with suppress(DeviceError):
                    await device.async_command(command, value)
            assert set(answers[-1].values) <= device.quantities
    return answers


def check(answers: list[Answer]) -> None:
    """Hold that every value is a finite number or a word, and every register whole or missing."""
    for answer in answers:
        assert set(answer.values) <= QUANTITIES
        assert all(isinstance(value, str) or math.isfinite(value) for value in answer.values.values())
        raw = answer.raw
        assert raw.power_w is None or math.isfinite(raw.power_w)
        assert all(isinstance(register, int | None) for register in (raw.import_wh, raw.export_wh, raw.wraps_wh))


@settings(max_examples=150, deadline=None)
@given(chains(), st.sampled_from(PARTS))
@example([*MARKER], "103")
def test_any_chain_of_models_is_answered_or_refused(words: list[int], part: str) -> None:
    """The models are those that are read, their words anything."""
    check(asyncio.run(ask(words, part)))


@settings(max_examples=100, deadline=None)
@given(st.lists(WORD, max_size=400), st.sampled_from(PARTS))
def test_any_words_after_a_marker_are_answered_or_refused(words: list[int], part: str) -> None:
    """A device that has lost its mind leads nobody out of its registers."""
    check(asyncio.run(ask([*MARKER, *words], part)))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.integers(2, 919), WORD, max_size=30), st.sampled_from(["103", "113"]))
def test_a_real_inverter_with_flipped_words_is_answered_or_refused(flipped: dict[int, int], part: str) -> None:
    """Any few of its words may be wrong, those of its chain too."""
    words = kaco()
    for place, word in flipped.items():
        words[place] = word
    check(asyncio.run(ask(words, part)))


def test_the_check_would_notice_a_number_that_is_none() -> None:
    """Answers of a sound device pass, and one with a NaN does not."""
    answers = asyncio.run(ask(kaco(), "103"))
    assert answers
    check(answers)
    with pytest.raises(AssertionError):
        check([Answer(answers[0].raw, {"voltage_v": math.nan})])
