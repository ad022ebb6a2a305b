"""Keeps how connected systems log in; a device's id is unique in the world, its community is known only after."""

from sqlalchemy import CheckConstraint, Column, Table

from cloud.database import STRICT, TEXT, WHOLE, metadata

hub_login_table = Table(
    "hub_login",
    metadata,
    Column("device", TEXT, primary_key=True),
    Column("community", TEXT, nullable=False),
    Column("initial_hash", TEXT),  # Argon2id; NULL once it was used
    Column("initial_until", WHOLE),
    Column("secret_hmac", TEXT),
    Column("next_hmac", TEXT),  # after a rotation: takes the other's place the first time it is used
    Column("wrong", WHOLE, nullable=False),
    Column("locked_until", WHOLE, nullable=False),
    Column("tried_at", WHOLE, nullable=False),
    Column("revoked_at", WHOLE),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("(initial_hash IS NULL) = (initial_until IS NULL)", name="initial_for_some_time"),
    **STRICT,
)
