"""Works on cables in processes that may be killed at any moment: `python -m tests.cloud.cable_child <url> <now>`.

Each line it reads makes one more of them, which costs no more than a fork.
"""

import asyncio
from collections.abc import Callable
import os
import sys
from typing import Concatenate, override

from sqlalchemy import Connection

from cloud.database import Database
from cloud.v2g.job import CableWork


def say(word: str | int) -> None:
    """Tell whoever may kill these processes how far they are."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class Telling(Database):
    """A database that says when a transaction has been committed."""

    @override
    async def write[**P, R](self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        result = await super().write(fn, *args, **kwargs)
        say("wrote")
        return result


async def work(url: str, now: int) -> None:
    """Work on cables until nothing is due, and say so."""
    database = Telling(url)
    await CableWork(database).to_rest(now)
    say("done")
    database.dispose()


def main(url: str, now: int) -> None:
    """Make a worker for each line; say which it is and, with the line after, how it ended: by which signal, 0: none."""
    for _ in sys.stdin:
        worker = os.fork()
        if not worker:
            asyncio.run(work(url, now))
            os._exit(0)
        say(worker)
        sys.stdin.readline()
        say(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
