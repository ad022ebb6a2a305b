"""How long somebody must wait who has shown wrong codes: each wrong one doubles it."""

FREE_TRIES_OF_OWNER = 5  # a person mistypes a few times
FREE_TRIES_OF_ADDRESS = 20  # a whole building may come from one
FIRST_WAIT_SECONDS = 30
WAIT_SECONDS_MAX = 86_400
FORGOTTEN_SECONDS = 86_400  # after a day without a wrong one, nobody remembers


def wait_s(beyond_free: int, last_at: int, now: int) -> int | None:
    """Return how many seconds are left to wait after so many wrong codes beyond the free ones, or None."""
    if beyond_free < 0 or last_at + FORGOTTEN_SECONDS <= now:
        return None
    doublings = min(beyond_free, WAIT_SECONDS_MAX.bit_length())
    left = last_at + min(FIRST_WAIT_SECONDS << doublings, WAIT_SECONDS_MAX) - now
    return left if left > 0 else None


def counted_now(wrong: int, last_at: int, now: int) -> int:
    """Return how many wrong codes there are with one more now."""
    return 1 if last_at + FORGOTTEN_SECONDS <= now else wrong + 1
