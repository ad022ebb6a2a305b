"""Orders to a program of the demo come as lines on its standard input; the end of them is the end of the program."""

import asyncio
from collections.abc import AsyncIterator
import sys


async def lines() -> AsyncIterator[str]:
    """Yield every line until whoever holds the other end lets go."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode(errors="replace")
