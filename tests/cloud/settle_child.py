"""Settles in a process that may be killed at any moment: `python -m tests.cloud.settle_child <url> <now>`."""

import asyncio
import secrets
import sys

from cloud.database import Database
from cloud.settlement import job


def say(word: str) -> None:
    """Tell whoever may kill this process how far it is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(url: str, now: int) -> None:
    """Say that it begins, settle everything that is due, say that it is done."""
    job.TOGETHER = 2  # more transactions, so more places to die at
    secrets.token_hex = lambda nbytes=None: "5a" * (nbytes or 32)  # or no two runs could be compared
    database = Database(url)
    say("begins")
    await job.settle(database, now)
    say("done")
    database.dispose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
