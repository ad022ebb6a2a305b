"""All formats the hub knows, and the one way from a message's bytes to what it says. Pure; no bytes make it raise."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cloud.hub.messages.message import Fault, Parsed
from cloud.hub.reading import FUTURE_MS_MAX

from .definition import Definition
from .document import RAW_BYTES_MAX, Document, UnreadableError
from .gathered import AHEAD_MS_MAX, Gathered
from .units import shortened

type Matches = Callable[[Document], bool]  # whether a message is of a format; raises nothing
type Reads = Callable[
    [Document, Gathered], int | None
]  # what it says; its own clock, if it tells; raises UnreadableError

CODES_TOLD_MAX = 5


@dataclass(frozen=True, slots=True)
class Format:
    """One version of a format, ready for use. `definition` is None where a program of ours reads it."""

    code: str
    version: int
    name: str
    matches: Matches
    reads: Reads
    ahead: bool = False
    definition: Definition | None = None
    built_in: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """The newest version of every format in use, by code; `retired` are codes that no longer are."""

    formats: Mapping[str, Format] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()

    def with_format(self, added: Format) -> Book:
        """Return a book with one more format, or another version of one."""
        return Book({**self.formats, added.code: added}, self.retired - {added.code})


def book_with(formats: Iterable[Format], retired: frozenset[str] = frozenset()) -> Book:
    """Return a book of these formats."""
    return Book({each.code: each for each in formats}, retired)


def codes_of(book: Book, document: Document) -> list[str]:
    """Return the codes of every format that a message could be of, in order.

    A message that names the code of a format we know as its own `format` is of that one and no other.
    """
    if (named := _named(document)) is not None and named in book.formats:
        return [named]
    return [code for code in sorted(book.formats) if book.formats[code].matches(document)]


def _named(document: Document) -> str | None:
    data = document.json() if document.is_json else None
    named = data.get("format") if isinstance(data, dict) else None
    return named if isinstance(named, str) else None


def read(
    book: Book, raw: bytes, received_ms: int, *, hint: str | None = None, usual: str | None = None
) -> Parsed | tuple[Fault, ...]:
    """Return what a message says, or why nobody can tell.

    `hint` is the code of its format, where the message came with one. `usual` is the one its sender is known to use:
    it holds unless the data name another that we know. Without both the data tell.
    """
    if len(raw) > RAW_BYTES_MAX:
        return (Fault(None, "too-large", "", f"a message has at most {RAW_BYTES_MAX} bytes"),)
    document = Document(raw)
    found = _hinted(book, hint) if hint is not None else _found(book, document, usual)
    if isinstance(found, Fault):
        return (found,)
    gathered = Gathered(received_ms, found.ahead)
    try:
        sent_ms = found.reads(document, gathered)
    except UnreadableError as error:
        return (Fault(None, error.reason, error.where, f"{found.code}: {error}"),)
    return Parsed(
        found.code,
        found.version,
        tuple(gathered.readings),
        gathered.all_faults(),
        sent_ms,
        tuple(gathered.rows),
        AHEAD_MS_MAX if gathered.lies_ahead else FUTURE_MS_MAX,
    )


def _hinted(book: Book, hint: str) -> Format | Fault:
    if (found := book.formats.get(hint)) is not None:
        return found
    why = "is no longer in use" if hint in book.retired else "is known to nobody here"
    return Fault(None, "unknown-format", shortened(hint), f"the format {shortened(hint)} {why}")


def _found(book: Book, document: Document, usual: str | None) -> Format | Fault:
    named = _named(document)
    if usual is not None and named not in book.formats:
        return _hinted(book, usual)
    codes = codes_of(book, document)
    if len(codes) == 1:
        return book.formats[codes[0]]
    if codes:
        told = ", ".join(codes[:CODES_TOLD_MAX])
        return Fault(None, "ambiguous-format", told, f"it could be {told}; name its format, or find it by more")
    if named is not None:
        return _no_such(named)
    return Fault(None, "unknown-format", "", "no format is found in it; name one, or register a new one")


def _no_such(named: str) -> Fault:
    return Fault(None, "unknown-format", "format", f"it says it is {shortened(named)!r}, which nobody here knows")
