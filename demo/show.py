"""What a person sees of a run: the addresses, every interval as it is settled, and at the end the proof."""

import asyncio
import time

from . import supply, visitor
from .cloud import Operator
from .community import GRID_PRICES, MAIN_OWNER, OWNERS, earning_text, tariff_text
from .errors import DemoError
from .follow import Settled, settled_intervals
from .house import HALF_HOUR_S
from .logs import complaints
from .processes import HOST
from .stage import ASSISTANT, CLOUD, USER, Stage, set_up
from .statement import Sums, interval_table, interval_text, prove, statement_table

ENOUGH = 3  # settled intervals that end a run with --once
ZERO_SUMS = ("energy_sum_wh", "local_sum_wh", "ledger_sum_micro", "balance_sum_micro", "accounts_off")
LATE_S = 60  # this long after the last of them could be settled the run is given up


async def show(stage: Stage) -> None:
    """Set everything up and show it: until the proof with --once, else until it is stopped."""
    options, progress = stage.options, stage.progress
    progress.say(
        f"Commonwatt: half an hour of a measured house passes every {options.interval_seconds} s"
        f" ({HALF_HOUR_S // options.interval_seconds} times as fast as it was)."
    )
    operator, begins_at, _ = await set_up(stage)
    _say_addresses(stage, begins_at)
    if options.once:
        await _prove(stage, operator, await _first(stage, operator, begins_at))
    else:
        linked = False
        async for settled in settled_intervals(operator, begins_at, options.interval_seconds, progress):
            _say_settled(stage, settled)
            if not linked:
                progress.say(f"  Anna's statement, to read and print: {await operator.statement_link(MAIN_OWNER)}")
            linked = True


def _say_addresses(stage: Stage, begins_at: int) -> None:
    for line in (
        f"\nEverything runs after {stage.progress.spent_s:.0f} s.",
        f"  Home Assistant  {stage.ha_url}   user {USER}   password {stage.password}",
        "                  more in Energy > Now, and in Settings > Devices & services > Commonwatt",
        f"  Cloud           {stage.cloud_url}   its interface is described at /openapi.json",
        f"  House           ten Modbus devices on {HOST}, from {interval_text(begins_at, 0)[:8]} UTC on",
        f"  Cable           {visitor.NAME}, another program, plugged in at the house; {earning_text()}",
        f"  Street          {supply.NAME}, another program: no Home Assistant, it tells the hub by HTTPS",
        f"  Prices          {tariff_text()}",
        "  Stop with Ctrl-C." if not stage.options.once else f"  Ends after {ENOUGH} settled intervals.",
        "\nEnergy: positive is used, negative is supplied. Points: positive is earned, negative is paid.",
    ):
        stage.progress.say(line)


def _say_settled(stage: Stage, settled: Settled) -> None:
    start, seconds = settled.interval.start, stage.options.interval_seconds
    stage.progress.say(
        f"\n{interval_text(start, seconds)} UTC is settled, {stage.progress.spent_s:.0f} s after the start"
    )
    for line in interval_table(OWNERS, settled.lines):
        stage.progress.say(line)


async def _first(stage: Stage, operator: Operator, begins_at: int) -> list[Settled]:
    """Return the first settled intervals in which all taps reported; too late is an error that says what is missing."""
    seconds, found = stage.options.interval_seconds, list[Settled]()
    last_end = begins_at + ENOUGH * seconds
    try:
        async with asyncio.timeout(last_end + seconds + LATE_S - time.time()):
            async for settled in settled_intervals(operator, begins_at, seconds, stage.progress):
                _say_settled(stage, settled)
                if settled.complete:
                    found.append(settled)
                if len(found) == ENOUGH:
                    break
    except TimeoutError:
        reason = await _why_late(operator, begins_at, seconds, len(found))
        raise DemoError("\n".join([reason, *_complaints(stage)])) from None
    return found


async def _why_late(operator: Operator, begins_at: int, seconds: int, found: int) -> str:
    reason = f"only {found} of {ENOUGH} intervals were settled with readings of all taps in time"
    waiting = [interval for interval in await operator.intervals(begins_at - seconds) if not interval.settled]
    if not waiting:
        return f"{reason}; the cloud has heard of no other interval"
    first = waiting[0]
    sites = f" ({', '.join(first.lacks)})" if first.lacks else ""
    return f"{reason}; {interval_text(first.start, seconds)} is not settled yet: {first.reason}{sites}"


def _complaints(stage: Stage) -> list[str]:
    return complaints(stage.children.log(CLOUD), stage.children.log(ASSISTANT))


async def _prove(stage: Stage, operator: Operator, found: list[Settled]) -> None:
    """Print every owner's statement and the two sums, the cloud's own and recomputed from what the owners read."""
    start, end = found[0].interval.start, found[-1].interval.start + stage.options.interval_seconds
    for owner, name in OWNERS.items():
        stage.progress.say()
        for line in statement_table(name, await operator.statement(owner, start, end)):
            stage.progress.say(line)
    sums = prove([(settled.interval.grid_wh, settled.lines.values()) for settled in found], GRID_PRICES)
    cable = await visitor.earned(operator, start, end)
    street = await supply.supplied(operator, start, end)
    for line in ("", *visitor.earned_lines(cable), "", *supply.supplied_lines(street)):
        stage.progress.say(line)
    kept = await operator.proof()
    stage.progress.say(f"\nenergy: sum over owners and grid = {sums.energy_wh} Wh")
    stage.progress.say(f"ledger: sum of postings = {sums.ledger_micro}")
    stage.progress.say(
        "Both are recomputed from the statements. The cloud's own proof counts"
        f" {kept['intervals']} intervals, {kept['entries']} entries and {kept['postings']} postings.\n"
    )
    if sums != Sums() or any(kept[sum_] for sum_ in ZERO_SUMS):
        raise DemoError(f"the sums are not zero; recomputed {sums}, the cloud's own {kept}")
    if complained := _complaints(stage):
        raise DemoError("\n".join(["the sums fit, but there are errors in the logs", *complained]))
