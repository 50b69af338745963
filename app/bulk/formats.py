"""Records: CSV or JSON lines, read into what a Struct is made of and written again."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal

import msgspec

from app.problems import Malformed
from app.validation.decoding import decode_json

Format = Literal["csv", "jsonl"]

LONGEST_LINE = 1024 * 1024
"""Bytes. What is longer is cut, so that it is refused as a record and not held in memory."""


class RecordsError(ValueError):
    """Why nothing of a file can be read."""


class Broken(msgspec.Struct, frozen=True):
    """A record that cannot be parsed."""

    reason: str


def read_records(source: BinaryIO, style: Format, kind: type[msgspec.Struct]) -> Iterator[tuple[int, Any]]:
    """Parse each record: the number of its first line, and a `kind`, what was decoded for one, or Broken.

    Raises: RecordsError.
    """
    return _read_csv(source, kind) if style == "csv" else _read_json_lines(source, kind)


def _lines(source: BinaryIO) -> Iterator[bytes]:
    while line := source.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = source.readline(LONGEST_LINE)


def _read_json_lines(source: BinaryIO, kind: type[msgspec.Struct]) -> Iterator[tuple[int, Any]]:
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(kind).decode
    for number, line in enumerate(_lines(source), 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if text.isspace() or not text:
            continue
        try:
            record = decode(text)
        except (ValueError, RecursionError):
            try:
                record = decode_json(text)
            except Malformed:
                record = Broken("not valid JSON")
        yield number, record


def _read_csv(source: BinaryIO, kind: type[msgspec.Struct]) -> Iterator[tuple[int, Any]]:
    """An empty field counts as absent."""
    reader = csv.reader((line.decode("utf-8", "surrogateescape") for line in _lines(source)), strict=True)
    names = _header(reader, kind)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield number, Broken(f"not valid CSV, up to line {reader.line_num}")
            continue
        if len(row) == len(names):
            given = dict(zip(names, row, strict=True))
            yield number, {name: text for name, text in given.items() if text} if "" in row else given
        elif row:
            yield number, Broken(f"has {len(row)} fields, the header has {len(names)}")


def _header(reader: Iterator[list[str]], kind: type[msgspec.Struct]) -> list[str]:
    try:
        names = [name.removeprefix("\ufeff").strip() for name in next(reader, [])]
    except csv.Error:
        raise RecordsError("the first line is not valid CSV") from None
    fields = {field.encode_name: field.required for field in msgspec.structs.fields(kind)}
    if missing := [name for name, required in fields.items() if required and name not in names]:
        raise RecordsError(f"the first line must name the columns; missing: {', '.join(missing)}")
    if len(set(names)) < len(names) or set(names) - set(fields):
        raise RecordsError(f"the first line may name each of these columns once: {', '.join(fields)}")
    return names


Encode = Callable[[Iterable[Sequence[Any]]], bytes]


def encoder(style: Format, names: Sequence[str]) -> tuple[bytes, Encode]:
    """What a file of these columns begins with, and how rows are written."""
    if style == "csv":
        return _write_csv([names]), _write_csv
    encode = msgspec.json.Encoder().encode
    return b"", lambda rows: b"".join(encode(dict(zip(names, row, strict=True))) + b"\n" for row in rows)


def _write_csv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [value.isoformat() if hasattr(value, "isoformat") else value for value in row] for row in rows
    )
    return text.getvalue().encode()


def as_reason(wrong: Mapping[str, str]) -> str:
    """What is wrong with a record, in one line, without any of its values."""
    told = "; ".join(f"{name}: {detail}" if name else detail for name, detail in wrong.items())
    return "".join(character if character.isprintable() else "?" for character in told)[:500]
