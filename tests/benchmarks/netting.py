"""Netting at a site: a thousand taps, as a block of flats has them, within a bound that its loop does not feel."""

from random import Random

from custom_components.commonwatt.metering.netting import net
from custom_components.commonwatt.metering.tree import plant
from custom_components.commonwatt.wire import TreeTap

from .figure import Figure, cpu_rate

TAPS = 1000
BOUND_US = 150


def measure(seconds: float, seed: int) -> list[Figure]:
    """Measure one netting of a random tree of a thousand taps and fifty owners."""
    random = Random(seed)
    taps = {"tap-0": TreeTap("owner-0", None)}
    for number in range(1, TAPS):
        taps[f"tap-{number}"] = TreeTap(f"owner-{random.randrange(50)}", f"tap-{random.randrange(number)}")
    tree = plant(taps)
    readings = {tap: (random.randrange(4000), random.randrange(1000)) for tap in tree.boundary}

    def work() -> int:
        net(tree, readings)
        return 1

    us = 1e6 / cpu_rate(work, seconds / 10)
    return [Figure("net 1000 taps", "µs", "bound", BOUND_US, us, 1, more_is_better=False)]
