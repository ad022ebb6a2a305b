"""The command line of the benchmarks: `python -m tests.benchmarks`."""

import argparse
from collections.abc import Callable
import platform
import sys

from . import extract, fraud, hub, ingest, loop, mqtt, netting, poll, posting, pull, settlement
from .figure import Figure, as_json, table

type Measure = Callable[[argparse.Namespace], list[Figure]]

PARTS: dict[str, Measure] = {
    "ingest": lambda options: ingest.measure(options.seconds, options.seed),
    "settlement": lambda options: settlement.measure(options.seed, full=options.full),
    "posting": lambda options: posting.measure(options.seconds, options.seed),
    "poll": lambda options: poll.measure(options.seconds),
    "loop": lambda options: loop.measure(options.seconds, full=options.full),
    "netting": lambda options: netting.measure(options.seconds, options.seed),
    "hub": lambda options: hub.measure(options.seconds),
    "extract": lambda options: extract.measure(options.seconds),
    "mqtt": lambda options: mqtt.measure(options.seconds),
    "pull": lambda options: pull.measure(options.seconds),
    "fraud": lambda options: fraud.measure(options.seed, fraud.how_many(full=options.full)),
}


def main() -> int:
    """Measure what is asked for and print it; the figures are the result, no goal that is missed is an error."""
    options = _parser().parse_args()
    figures = [figure for part in options.parts or PARTS for figure in PARTS[part](options)]
    about = {"seed": options.seed, "python": platform.python_version(), "machine": platform.machine()}
    if options.json:
        print(as_json(figures, **about))  # noqa: T201
    else:
        print(", ".join(f"{name} {value}" for name, value in about.items()))  # noqa: T201
        if options.curves:
            print(*fraud.curves(options.seed, fraud.how_many(full=options.full)), "", sep="\n")  # noqa: T201
        print(table(figures))  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures the limit and us in the same run.")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="what to measure; everything if left out")
    parser.add_argument("--seconds", type=float, default=10, help="about how long each part measures")
    parser.add_argument("--full", action="store_true", help="the sizes of the goals instead of smaller ones")
    parser.add_argument("--curves", action="store_true", help="print what the tolerance against fraud was chosen by")
    parser.add_argument("--json", action="store_true", help="for a program instead of a person")
    parser.add_argument("--seed", type=int, default=20_261_121, help="of everything that is made up")
    return parser


if __name__ == "__main__":
    sys.exit(main())
