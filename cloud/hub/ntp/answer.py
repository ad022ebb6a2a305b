"""One question to a time server and what its answer says (SNTP, RFC 4330 and 5905), or why it says nothing. Pure.

The form of the packet is ntplib's. Its own client is not used: it does not look whether an answer is to our question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import ntplib

VERSION = 4
CLIENT, SERVER = 3, 4  # modes
NOT_SYNCHRONISED = 3  # leap indicator
STRATUM_MAX = 15
ROOT_MS_MAX = 1500  # how far a server may be from its own source, by its word (RFC 5905's MAXDIST)
MARK = slice(40, 48)  # where a question's transmit timestamp stands
ORIGIN = slice(24, 32)  # where its answer repeats it
AGREE_MS = 500  # how far servers may differ and still agree

NEVER_AGAIN = frozenset({"DENY", "RSTR"})  # a kiss of death that means: do not ask here any more


@dataclass(frozen=True, slots=True)
class Measured:
    """How far a server's clock is ahead of ours, how long question and answer took, and how good its clock is."""

    server: str
    offset_ms: int
    delay_ms: int
    stratum: int


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a server's answer, or its silence, tells no time; `kiss` is the code of a kiss of death."""

    server: str
    why: str
    kiss: str | None = None


def question(mark: bytes) -> bytes:
    """Return a question whose transmit timestamp are eight random bytes: the time is nobody else's concern.

    Only who has seen the question can repeat them.
    """
    raw = bytearray(ntplib.NTPPacket(version=VERSION, mode=CLIENT).to_data())
    raw[MARK] = mark
    return bytes(raw)


def read_answer(server: str, raw: bytes, mark: bytes, sent_ms: int, received_ms: int) -> Measured | Unusable:
    """Return what an answer says, with the times of our own clock when the question went and the answer came."""
    found = ntplib.NTPStats()
    try:
        found.from_data(raw)
    except ntplib.NTPException:
        return Unusable(server, "the answer is no NTP packet")
    if raw[ORIGIN] != mark:
        return Unusable(server, "the answer is to no question of ours")
    if found.mode != SERVER:
        return Unusable(server, f"it answers in mode {found.mode}, which is no server's")
    if found.stratum == 0:
        kiss = raw[12:16].decode("ascii", "replace").rstrip("\0")
        return Unusable(server, f"it asks us to keep away ({kiss!r})", kiss)
    if found.leap == NOT_SYNCHRONISED or found.stratum > STRATUM_MAX:
        return Unusable(server, "its own clock is not synchronised")
    if (found.root_delay / 2 + found.root_dispersion) * 1000 > ROOT_MS_MAX:
        return Unusable(server, "its own clock is too far from its source")
    if not found.tx_timestamp or not found.recv_timestamp or found.tx_timestamp < found.recv_timestamp:
        return Unusable(server, "its times make no sense")
    found.orig_timestamp = ntplib.system_to_ntp_time(sent_ms / 1000)
    found.dest_timestamp = ntplib.system_to_ntp_time(received_ms / 1000)
    return Measured(server, round(found.offset * 1000), max(0, round(found.delay * 1000)), found.stratum)


def best_of(measured: Sequence[Measured]) -> Measured | None:
    """Return the nearest server of those that agree with most of them; None where there is no such majority.

    So one that lies, or is lied about, is outvoted as soon as there are three.
    """
    if not measured:
        return None
    middle = median_low([each.offset_ms for each in measured])
    agree = [each for each in measured if abs(each.offset_ms - middle) <= AGREE_MS + each.delay_ms]
    if len(agree) * 2 <= len(measured):
        return None
    return min(agree, key=lambda each: (each.delay_ms, each.stratum))
