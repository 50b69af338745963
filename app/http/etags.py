"""ETags: strong ETags of an integer version, `If-Match` and `If-None-Match` (RFC 9110, 13)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from litestar import Request

from app.problems import FieldError, Malformed, PreconditionFailed

_CONDITIONS = frozenset({b"if-match", b"if-none-match"})
_TAG = r'(W/)?+"([!#-~\x80-\xff]*+)"'
_tags = re.compile(_TAG).findall
_is_list = re.compile(rf"[ \t,]*+(?:{_TAG}[ \t]*+(?:,[ \t,]*+|\Z))*").fullmatch


def header_value(request: Request[Any, Any, Any], name: bytes) -> str | None:
    """A header, read as it came: of several lines, which count as one list, Litestar would give the first."""
    values = [value.decode("latin-1") for key, value in request.scope["headers"] if key == name]
    return ", ".join(values) if values else None


def is_not_modified(request: Request[Any, Any, Any], version: int | str) -> bool:
    """Whether the client has what this tag names, by `If-None-Match`. Comparison is weak here: W/ makes no difference.

    Raises: Malformed, PreconditionFailed, where `If-Match` names others.
    """
    if not [name for name, _ in request.scope["headers"] if name in _CONDITIONS]:
        return False
    if (if_match := header_value(request, b"if-match")) is not None:
        _check_match(if_match.strip(" \t"), str(version))
    if_none_match = (header_value(request, b"if-none-match") or "").strip(" \t")
    return if_none_match == "*" or any(text == str(version) for _, text in _parse(if_none_match))


def condition(request: Request[Any, Any, Any]) -> Callable[[int], None]:
    """What a request demands of the version that it is to change. Raises: PreconditionFailed, when called.

    Raises: Malformed, as a condition that is not understood may not be passed over.
    """
    for name in ("If-Match", "If-None-Match"):
        if (given := header_value(request, name.lower().encode())) is not None:
            _check_form(name, given.strip(" \t"))

    def check(version: int) -> None:
        if is_not_modified(request, version):
            raise PreconditionFailed("If-None-Match names what is stored")

    return check


def _check_form(name: str, given: str) -> None:
    if given != "*" and not _parse(given):
        raise no_tag(name)


def no_tag(name: str) -> Malformed:
    """What is said of a condition that is not understood."""
    malformed = Malformed(f"{name} is no ETag")
    malformed.errors = [FieldError('must be * or what ETag said, quotes included, such as "1"', header=name)]
    return malformed


def _check_match(if_match: str, version: str) -> None:
    _check_form("If-Match", if_match)
    tags = _parse(if_match)
    if if_match == "*" or ("", version) in tags:
        return
    if any(weak for weak, _ in tags):
        raise PreconditionFailed("A weak tag (W/) never matches If-Match; proxies that compress make tags weak")
    if not any(text.isdecimal() for _, text in tags):
        raise PreconditionFailed("If-Match holds no tag of this service")
    raise PreconditionFailed


def _parse(tags: str) -> list[tuple[str, str]]:
    """The tags of a list, each as W/ or nothing and its text. What is no list holds none."""
    return _tags(tags) if _is_list(tags) else []
