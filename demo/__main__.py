"""Starts the demo, or the house alone: `python -m demo [house] --help`."""

import asyncio
import sys

from .options import HouseOptions, parse


def main() -> int:
    """Do what the command line says and return the exit code."""
    options = parse(sys.argv[1:])
    if isinstance(options, HouseOptions):
        from .serve import serve_house  # the house needs nothing of what the runner loads

        return asyncio.run(serve_house(options.interval_seconds, options.wait))
    from .run import run

    return asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
