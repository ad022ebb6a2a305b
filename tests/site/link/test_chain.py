"""The chain over many lives: restarts, lost replies, restored backups and refusals, against the cloud's own rules."""

from pathlib import Path
import shutil
import tempfile

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
import hypothesis.strategies as st

from custom_components.commonwatt.link import Outbox, SealedBatch
from custom_components.commonwatt.wire import GENESIS, Answer, Head, parse_batch

from .material import SITE, START, boundaries, interval, key


class ModelCloud:
    """What a cloud keeps, and the rules by which it takes a batch."""

    def __init__(self) -> None:
        self.stored: dict[tuple[int, int], SealedBatch] = {}

    def head(self) -> Head:
        """Return the newest epoch's highest number."""
        if not self.stored:
            return Head(SITE, 0, 0, GENESIS)
        newest = max(self.stored)
        return Head(SITE, *newest, self.stored[newest].hash)

    def take(self, batch: SealedBatch) -> str:
        """Judge a batch by its neighbours and keep it if it fits."""
        number = (batch.epoch, batch.seq)
        if (known := self.stored.get(number)) is not None:
            return "exists" if known.raw == batch.raw else "equivocation"
        if not self._fits(batch):
            return "chain-broken"
        self.stored[number] = batch
        return "created"

    def _fits(self, batch: SealedBatch) -> bool:
        prev = parse_batch(batch.raw).prev
        earlier = [number for number in self.stored if number[0] < batch.epoch]
        highest = max((seq for epoch, seq in self.stored if epoch == batch.epoch), default=0)
        begun_later = any(epoch > batch.epoch and seq == 1 for epoch, seq in self.stored)
        before = self.stored.get((batch.epoch, batch.seq - 1))
        after = self.stored.get((batch.epoch, batch.seq + 1))
        return not (
            batch.epoch > max((number[0] for number in self.stored), default=0) + 1
            or (begun_later and batch.seq > highest)
            or (after is not None and parse_batch(after.raw).prev != batch.hash)
            or (before is not None and prev != before.hash)
            or (batch.seq == 1 and prev != (self.stored[max(earlier)].hash if earlier else GENESIS))
        )


class Lives(RuleBasedStateMachine):
    """One site whose program, file and network go through everything, and a cloud that forgets nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "outbox.db"
        self.cloud = ModelCloud()
        self.outbox = Outbox.open(self.path)
        self.outbox.meet(self.cloud.head())
        self.made = 0
        self.backup: bytes | None = None
        self.verdicts: list[str] = []
        self.restored = False

    def teardown(self) -> None:
        """See that, whatever happened, what is measured from now on gets through whole; leave nothing behind."""
        self.restart()
        for _ in range(3):
            self.measure(1)
            self.send(1000, lost=False)
        newest_epoch = self.cloud.head().epoch
        numbers = sorted(seq for epoch, seq in self.cloud.stored if epoch == newest_epoch)
        assert self.outbox.next_batch() is None
        assert numbers == list(range(1, len(numbers) + 1))
        latest = self.outbox.latest_interval()
        brought = parse_batch(self.cloud.stored[newest_epoch, len(numbers)].raw).intervals
        assert latest is not None
        assert brought is not None
        assert brought.start == latest.start
        self.outbox.close()
        shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 3))
    def measure(self, count: int) -> None:
        """Keep intervals with gaps between, so that each becomes a batch of its own."""
        for _ in range(count):
            self.outbox.keep_interval(interval(2 * self.made), boundaries(2 * self.made))
            self.made += 1
        self.outbox.seal(SITE, START + self.made, key().sign)

    @rule(count=st.integers(1, 4), lost=st.booleans())
    def send(self, count: int, lost: bool) -> None:
        """Send some batches; the last reply may get lost."""
        for place in range(count):
            batch = self.outbox.next_batch()
            if batch is None:
                return
            verdict = self.cloud.take(batch)
            self.verdicts.append(verdict)
            if verdict in ("created", "exists"):
                if not (lost and place == count - 1):
                    self.outbox.mark(Answer(SITE, batch.epoch, batch.seq, batch.hash, "created", 0, 0, 0))
            else:
                self.put_aside(batch)
            self.close_hole()

    @precondition(lambda self: self.outbox.next_batch() is not None)
    @rule()
    def refuse(self) -> None:
        """Refuse the next batch for a reason of the cloud's own."""
        batch = self.outbox.next_batch()
        assert batch is not None
        if (batch.epoch, batch.seq) not in self.cloud.stored:
            self.put_aside(batch)
            self.close_hole()

    def put_aside(self, batch: SealedBatch) -> None:
        """Take it out of the queue as the uplink does."""
        self.outbox.set_aside(batch.epoch, batch.seq, "409")

    def close_hole(self) -> None:
        """Ask for the head again once everything is answered and something was refused, as the uplink does."""
        if self.outbox.next_batch() is None and self.outbox.must_meet():
            self.outbox.meet(self.cloud.head())

    @rule()
    def restart(self) -> None:
        """End the program and begin again: it asks for the head before it numbers anything."""
        self.outbox.close()
        self.outbox = Outbox.open(self.path)
        self.outbox.meet(self.cloud.head())

    @rule()
    def back_up(self) -> None:
        """Copy the file."""
        self.outbox.close()
        self.backup = self.path.read_bytes()
        self.outbox = Outbox.open(self.path)
        self.outbox.meet(self.cloud.head())

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore(self) -> None:
        """Go back to the copy."""
        assert self.backup is not None
        self.outbox.close()
        self.restored = True
        self.path.write_bytes(self.backup)
        self.outbox = Outbox.open(self.path)
        self.outbox.meet(self.cloud.head())

    @invariant()
    def no_number_carries_two_contents(self) -> None:
        """Hold the promise that makes evidence of the batches."""
        assert "equivocation" not in self.verdicts

    @invariant()
    def only_a_restored_copy_can_break_the_chain(self) -> None:
        """Never have a batch refused for its place in the chain by our own doing."""
        assert self.restored or "chain-broken" not in self.verdicts


Lives.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLives = Lives.TestCase
