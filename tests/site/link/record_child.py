"""A program to be killed: it reads a mailbox from where its outbox says on, and tells each number it has kept."""

from pathlib import Path
import sys

from custom_components.commonwatt.link import Outbox


def record(number: int) -> str:
    """Return the record of a number."""
    return f'OCMF|{{"PG":"T{number}"}}|{{"SD":"00"}}'


def main(path: Path) -> None:
    """Keep records until killed."""
    outbox = Outbox.open(path)
    number = outbox.records_through("CWC-1") or 0
    while True:
        number += 1
        outbox.keep_records("CWC-1", [record(number)], number, 1_700_000_000)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
