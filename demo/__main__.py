"""Starts the demo, or one of its programs alone: `python -m demo [house | cable | maker | street] --help`."""

import asyncio
import sys

from .options import CableOptions, HouseOptions, MakerOptions, StreetOptions, parse


def main() -> int:
    """Do what the command line says and return the exit code."""
    options = parse(sys.argv[1:])
    if isinstance(options, HouseOptions):
        from .serve import serve_house  # the house needs nothing of what the runner loads

        return asyncio.run(serve_house(options.interval_seconds, options.wait))
    if isinstance(options, CableOptions):
        from .cable import serve_cable

        return asyncio.run(serve_cable(options))
    if isinstance(options, MakerOptions):
        from .maker import serve_maker

        return asyncio.run(serve_maker(options))
    if isinstance(options, StreetOptions):
        from .street import serve_street

        return asyncio.run(serve_street())
    from .run import run

    return asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
