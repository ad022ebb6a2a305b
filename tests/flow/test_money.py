"""What it costs, told alike everywhere: in Home Assistant, on the printed page, and in every owner's sums."""

import csv
from decimal import Decimal
from io import StringIO
import time
from typing import Any

import aiohttp
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from demo.cloud import Statement
from demo.community import POINTS_PER_EURO

from .conftest import Cloud, until

MICRO = 1_000_000


async def test_home_assistant_shows_what_the_ledger_says_today_cost(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud
) -> None:
    """In the community's currency; beside it how much of what was used came from the neighbourhood."""
    registry = er.async_get(hass)
    entities = {
        entity.translation_key: entity.entity_id
        for entity in er.async_entries_for_config_entry(registry, site.entry_id)
        if entity.config_subentry_id is None
    }

    async def shown() -> Statement | None:
        midnight = int(dt_util.start_of_local_day().timestamp())
        statement = await cloud.operator.statement("anna", max(midnight, int(time.time()) - 3600), int(time.time()))
        cost, share = hass.states.get(entities["cost_today"]), hass.states.get(entities["local_share_today"])
        assert cost is not None
        assert share is not None
        if "unknown" in (cost.state, share.state):
            return None
        assert cost.attributes["unit_of_measurement"] == "EUR"
        points_micro = sum(line.points_micro for line in statement.lines)
        used_wh = sum(max(line.net_wh, 0) for line in statement.lines)
        local_wh = sum(min(max(line.local_wh, 0), max(line.net_wh, 0)) for line in statement.lines)
        told = round(float(cost.state) * MICRO * POINTS_PER_EURO), round(float(share.state), 6)
        return statement if told == (-points_micro, round(100 * local_wh / used_wh, 6)) else None

    assert (await until(shown, "Home Assistant shows another cost than the ledger")).lines


async def test_a_tenant_gets_a_page_and_the_landlord_a_table(site: ConfigEntry[Any], cloud: Cloud) -> None:
    """By a link without a password for the one, with everybody's sums for the other, and both say the same."""
    url = await cloud.operator.statement_link("ben")
    async with aiohttp.ClientSession() as browser:
        async with browser.get(url) as answer:
            assert answer.status == 200
            page = await answer.text()
        async with browser.get(url.replace("/statement?", "/statement.csv?")) as answer:
            rows = list(csv.DictReader(StringIO(await answer.text())))
    assert "Ben" in page
    assert "Anna" not in page
    assert sum(Decimal(row["points"]) for row in rows[:-1]) == Decimal(rows[-1]["points"]) < 0
