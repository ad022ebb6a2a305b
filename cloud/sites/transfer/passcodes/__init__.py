"""The passcodes of taps: kept as Argon2id, guessed at only a few times, every try on record."""
