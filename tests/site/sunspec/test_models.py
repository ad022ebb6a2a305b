"""The table of points against the official definitions: every offset, type and scale factor."""

import pytest

from custom_components.commonwatt.devices.sunspec.models import GROUPS, MODELS, Points, length_least

from .definitions import DATA, Definition, points

KEPT = {int(path.stem.partition("_")[2]) for path in (DATA / "models").glob("model_*.json")}


def wrong_points(model_id: int, table: Points) -> list[str]:
    """Return the points that are not where, or not what, the definition says."""
    by_offset = {point.offset: point for point in points(model_id)}
    by_name = {point.name: point for point in points(model_id)}
    wrong = []
    for name, point in table.items():
        defined = by_offset.get(point[1])
        if defined is None or defined.type != point[0]:
            wrong.append(f"{name} at {point[1]} is {defined}")
        elif point[0] == "string":
            wrong += [] if point[2:] == (defined.size,) else [f"{name} has {defined.size} registers"]
        elif point[0] not in {"acc32", "uint64"} and point[2:] != _scale(defined, by_name):
            wrong.append(f"{name} is scaled by {defined.scale}")
    return wrong


def _scale(defined: Definition, by_name: dict[str, Definition]) -> tuple[int, ...]:
    return () if defined.scale is None else (by_name[defined.scale].offset,)


def test_the_definitions_of_all_models_but_one_are_kept() -> None:
    """Of model 214 no definition is kept: it has the points of model 213."""
    assert set(MODELS) - KEPT == {214}


@pytest.mark.parametrize("model_id", sorted(KEPT))
def test_every_point_stands_where_the_official_definition_has_it(model_id: int) -> None:
    """Offset, type, scale factor and length are those of the SunSpec Alliance."""
    assert wrong_points(model_id, MODELS[model_id]) == []
    if model_id in GROUPS:
        assert wrong_points(model_id, GROUPS[model_id][2]) == []


@pytest.mark.parametrize("model_id", sorted(KEPT - {124, 120}))
def test_the_scale_of_an_energy_is_the_one_that_its_definition_names(model_id: int) -> None:
    """Energies are read raw: the scale that is read beside them must be theirs."""
    for table in (MODELS[model_id], GROUPS.get(model_id, (0, 0, {}))[2]):
        for name, point in table.items():
            if point[0] in {"acc32", "uint64"}:
                defined = next(defined for defined in points(model_id) if defined.offset == point[1])
                scale = next(
                    defined for defined in points(model_id) if defined.offset == MODELS[model_id]["energy_scale"][1]
                )
                assert (name, defined.scale) == (name, scale.name)


@pytest.mark.parametrize("model_id", sorted(KEPT))
def test_a_model_is_taken_that_is_as_long_as_its_definition(model_id: int) -> None:
    """What must be there at least is never more than what the definition has."""
    whole = max(point.offset + point.size for point in points(model_id)) - 2
    assert 0 < length_least(model_id) <= whole


def test_the_check_would_notice_a_point_at_the_wrong_place() -> None:
    """The table is held against the definition, not against itself."""
    assert wrong_points(103, {"power_w": ("int16", 15, 14)})
    assert wrong_points(103, {"power_w": ("uint16", 14, 15)})
    assert wrong_points(103, {"power_w": ("int16", 14, 17)})
    assert wrong_points(1, {"serial": ("string", 50, 8)})
