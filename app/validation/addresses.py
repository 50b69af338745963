"""Addresses: what email-validator accepts, in its normal form, and why not the rest, in words of ours."""

from __future__ import annotations

import re

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from app.validation.texts import has_unseen

_REASONS = {
    "regular at-sign": "its @ is another character that looks like one",
    "something before": "nothing before the @",
    "something after": "nothing after the @",
    "special-use": "a special-use domain",
    "Quoting|quotes": "quotes before the @",
    "bracket|display name|after the email address": "write the address alone, without a name or brackets",
    "two periods": "two dots in a row",
    "dashes|IDNA|Unicode normalization|is invalid": "a domain that cannot be encoded (IDNA)",
    "hyphen": "a hyphen beside a dot or at an end of the domain",
    "should have": "a domain without a dot",
    "period at|period immediately|with a period": "a dot at the beginning or the end of a part",
    "top-level": "a domain whose last part is no word",
    "too long|so many": "a part of it is too long",
    "unsafe": "a character that cannot be seen",
    "characters? before": "a character that cannot stand before the @",
    "contains": "a character that cannot stand in a domain",
}
"""By what the library says, in this order. No @ at all needs no reason."""


def _refusal(said: str) -> str:
    """What is wrong, without a character of the address."""
    found = [reason for pattern, reason in _REASONS.items() if re.search(pattern, said)]
    return ": ".join(["not a valid email address", *found[:1]])


_SPECIAL_USE = "|".join(sorted({domain.rpartition(".")[2] for domain in SPECIAL_USE_DOMAIN_NAMES}))
is_plain_email = re.compile(
    r"(?=[^@]{1,64}+@[^@]{1,60}+\Z)"
    r"[\w+-]++(?:\.[\w+-]++)*@"
    # No two hyphens in a row, which mark an encoded domain.
    rf"(?:[a-zA-Z0-9]++[.-])+(?<=\.)(?!(?i:{_SPECIAL_USE})\Z)[a-zA-Z]{{2,}}",
    re.ASCII,
).fullmatch
"""Whether email-validator accepts an address without a doubt. Takes 0.3 us, where the library takes 50."""


def normal_email(text: str) -> str:
    """email-validator's normal form, without a DNS look-up, in the letter case of what is ASCII. Raises: ValueError.

    Takes up to 1 ms where it has to look at a domain outside ASCII.
    """
    if is_plain_email(text):
        return text
    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(_refusal(str(error))) from None
    local, _, domain = text.rpartition("@")
    if has_unseen(local):
        raise ValueError(_refusal("unsafe characters"))
    return f"{_spelt(local, found.local_part)}@{_spelt(domain, found.domain)}"


def _spelt(given: str, normal: str | None) -> str:
    return given if given.isascii() and given.lower() == str(normal).lower() else str(normal)
