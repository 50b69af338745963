"""Source: the bytes of a file in, its text line by line out; what is no text is refused by its name."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, BinaryIO

import msgspec

LONGEST_LINE = 1024 * 1024
"""Characters. A longer one is none of ours, and is not held in memory."""
_SNIFFED = 4096
"""Bytes that tell what a file is."""
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before UTF-16's, with which they begin.
    **dict.fromkeys((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-32"),
    **dict.fromkeys((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-16"),
}
_WORKBOOK = "save the sheet as CSV UTF-8"
_UNPACK = "unpack it first"
_TABLE = "write the table with COPY (SELECT ...) TO STDOUT WITH (FORMAT csv, HEADER)"
_REFUSED = {
    rb"PK\x03\x04(?s:.){26}(?:\[Content_Types\]|_rels/|docProps/|xl/|mimetype)": f"an Excel workbook; {_WORKBOOK}",
    rb"PK\x03\x04": f"a zip; {_UNPACK}",
    rb"\xd0\xcf\x11\xe0": f"an old Excel workbook; {_WORKBOOK}",
    rb"BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf": f"compressed, but not by gzip; {_UNPACK}",
    rb"PGDMP|--\s*(?:--\s*)?\w+(?: database)? dump|CREATE TABLE|INSERT INTO|COPY \S+ \(|SET \w+ = ": f"SQL; {_TABLE}",
    rb"SQLite format 3": "an SQLite database; write the table with sqlite3 -csv -header",
    rb"(?:version: \d+\s+)?(?:#[^\n]*\n\s*)*dn::? ": "LDIF; write the entries as CSV with a header",
    rb"<[?!A-Za-z]": "XML or HTML; write the records as CSV or JSON",
    rb"%PDF|PAR1|\x89PNG": f"no text; {_WORKBOOK}",
}


class RecordsError(ValueError):
    """Why nothing more of a file can be read."""


class Unparsable(msgspec.Struct, frozen=True):
    """A record that cannot be parsed."""

    reason: str
    cells: Sequence[Any]


@contextmanager
def opened_text(source: BinaryIO, encoding: str = "") -> Iterator[tuple[io.TextIOWrapper, str]]:
    """The text of a file, unpacked, without its mark, the ends of its lines as they are; and its first characters.

    Raises: RecordsError.
    """
    packed: Any = gzip.GzipFile(fileobj=source) if _head(source).startswith(b"\x1f\x8b") else source
    with told_plainly(encoding):
        head = packed.peek(_SNIFFED)[:_SNIFFED] if packed is not source else _head(source)
        marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), "")
        encoding = marked or encoding or "utf-8"
        beginning = head.decode(encoding, "ignore")
        if not marked:
            _refuse(head, encoding)
        # Of an old Mac. Elsewhere a carriage return alone is no end of a line.
        ending = "\r" if re.match(r"[^\r\n]*\r(?!\n).", beginning, re.DOTALL) else "\n"
        text = io.TextIOWrapper(packed, encoding, "surrogateescape", ending)
    try:
        yield text, beginning
    finally:
        text.detach()


def _head(source: BinaryIO) -> bytes:
    if not source.seekable():
        return source.peek(_SNIFFED)[:_SNIFFED] if isinstance(source, io.BufferedReader) else b""
    place = source.tell()
    head = source.read(_SNIFFED)
    source.seek(place)
    return head


def _refuse(head: bytes, encoding: str) -> None:
    """Raises: RecordsError."""
    for pattern, told in _REFUSED.items():
        if re.match(pattern, head.lstrip()):
            raise RecordsError(f"the file is {told}")
    if re.search(rb"\x1b[$(]", head) and encoding == "utf-8":
        raise RecordsError("the file is ISO-2022, as mail is in Japan; say --encoding iso-2022-jp")
    if b"\0" in head[:2] and encoding == "utf-8":
        order = "be" if head[:1] == b"\0" else "le"
        raise RecordsError(f"the file is UTF-16 without a mark; say --encoding utf-16-{order}")


@contextmanager
def told_plainly(encoding: str) -> Iterator[None]:
    """Raises: RecordsError, for whatever goes wrong when bytes are unpacked and read."""
    try:
        yield
    except LookupError:
        raise RecordsError(f"{encoding}: not the name of an encoding") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise RecordsError("the file is cut off or damaged: gzip cannot unpack all of it") from None
    except UnicodeError:
        raise RecordsError(f"not {encoding}; --encoding says what the file is written in") from None


def read_lines(text: io.TextIOWrapper, first: int = 1) -> Iterator[str]:
    """Raises: RecordsError, which names the line."""
    read = checked(lambda: text.readline(LONGEST_LINE + 1), text.encoding)
    for number in count(first):
        try:
            line = read()
        except RecordsError as error:
            raise RecordsError(f"line {number}: {error}") from None
        if not line:
            return
        if len(line) > LONGEST_LINE:
            raise RecordsError(f"line {number}: longer than 1 MiB")
        yield line


def checked(read: Callable[[], str], encoding: str) -> Callable[[], str]:
    """`read`, of whose text every character was in the file. Raises: RecordsError."""
    name = "UTF-8" if encoding.startswith("utf-8") else encoding

    def reading() -> str:
        with told_plainly(name):
            text = read()
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise RecordsError(
                    f"not {name}; save the file as UTF-8, or say what it is written in, as in --encoding cp1252"
                ) from None
        return text

    return reading
