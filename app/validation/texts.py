"""Texts: what PostgreSQL can store and, where people read it, only what they can see, in one spelling (NFC)."""

from __future__ import annotations

import re
from unicodedata import is_normalized, normalize

_BLANKS = (
    " \t\n\v\f\r\xa0\u1680\u2000\u2001\u2002\u2003"
    "\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What is taken off at both ends: not the control characters that Python counts among them."""
_LONGEST = 1_000
"""Characters, more than any column takes. Ordering the accents of a longer text could take minutes."""

_NOT_TAKEN = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069"
VISIBLE = rf"^\s*[^{_NOT_TAKEN}]*[^\s{_NOT_TAKEN}\u00ad\u200b-\u200f\u2060-\u206f\ufeff][^{_NOT_TAKEN}]*\s*$"
SEARCHED = rf"^\s*([^\s{_NOT_TAKEN}][^{_NOT_TAKEN}]+[^\s{_NOT_TAKEN}]|[^\s\u0000-\u009f{_NOT_TAKEN}]{{2}})\s*$"
"""What `readable` takes, but for rare characters that nobody sees, as patterns of JSON schema (ECMA-262)."""

is_whole_number = re.compile(r"-?(?:0|[1-9][0-9]*+)").fullmatch
"""Whether a text is an integer, written in the one way that there is."""
MOST_DIGITS = 1_000
"""How much of an integer is read: it is beyond every bound then, and all of it would take the square of its length."""
_has_control = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]").search
# Embeddings, overrides and isolates turn what follows them, too.
_has_direction_control = re.compile("[\u202a-\u202e\u2066-\u2069]").search
# Unicode's Default_Ignorable_Code_Point, and what is blank although it is a letter or a symbol.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
has_unseen = re.compile(f"[{_INVISIBLE}]").search
_is_visible = re.compile(rf"[^\s{_INVISIBLE}]").search


def storable(text: str) -> str:
    """The text, if PostgreSQL can store it. Raises: ValueError."""
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain a lone surrogate") from None
    return text


def readable(text: str) -> str:
    """The text without blanks around it, in NFC. Raises: ValueError where a reader would not see what it holds."""
    text = storable(text).strip(_BLANKS)
    if text.isascii() and text.isprintable():
        return text
    if _has_control(text):
        raise ValueError("must not contain control characters")
    if _has_direction_control(text):
        raise ValueError("must not contain characters that turn the direction of writing")
    if not _is_visible(text):
        raise ValueError("must contain something visible")
    return normalize("NFC", text) if len(text) <= _LONGEST else text


def is_readable(text: str) -> bool:
    """Whether `readable` would return the text as it is, apart from blanks around it. Takes less than 1 us."""
    if not text.isprintable():
        return False
    return text.isascii() or (bool(_is_visible(text)) and len(text) <= _LONGEST and is_normalized("NFC", text))
