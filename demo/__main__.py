"""Starts the demo, or the house or a cable alone: `python -m demo [house | cable] --help`."""

import asyncio
import sys

from .options import CableOptions, HouseOptions, parse


def main() -> int:
    """Do what the command line says and return the exit code."""
    options = parse(sys.argv[1:])
    if isinstance(options, HouseOptions):
        from .serve import serve_house  # the house needs nothing of what the runner loads

        return asyncio.run(serve_house(options.interval_seconds, options.wait))
    if isinstance(options, CableOptions):
        from .cable import serve_cable

        return asyncio.run(serve_cable(options))
    from .run import run

    return asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
