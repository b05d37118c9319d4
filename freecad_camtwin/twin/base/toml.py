# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads TOML files that people write (machine profiles, signal maps, materials) and states errors as sentences."""

import re
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from freecad_camtwin.errors import ProfileError

_Kind = TypeVar("_Kind")
_BOUNDS = {">": "greater than", ">=": "at least", "<": "less than", "<=": "at most"}


def decode_toml(
    text: bytes | str, kind: type[_Kind], label: str, *, noun: str = "a file", words: Iterable[str] = ()
) -> _Kind:
    """Read TOML as ``kind``. Raises ProfileError, one sentence that begins with ``label``, if it is not valid.

    ``noun`` names the kind of file in the message about an unknown entry; ``words`` are the words of an enumeration.
    """
    try:
        return msgspec.toml.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise ProfileError(f"{label}: {_sentence(str(error), noun, words)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProfileError(f"{label} is not TOML: {error}") from error


def _sentence(complaint: str, noun: str, words: Iterable[str]) -> str:
    """Rewrite msgspec's message: the entry first, then its fault."""
    text, _, where = complaint.partition(" - at `$")
    entry = where.rstrip("`").lstrip(".")
    if words and text.startswith("Invalid enum value"):
        return f"{entry}: {text.removeprefix('Invalid enum value ')} is none of {', '.join(words)}"
    if match := re.fullmatch(r"Object (missing required|contains unknown) field `(.+)`", text):
        name = ".".join(filter(None, (entry, match[2])))
        return f"{name} is missing" if match[1].startswith("missing") else f"{name} is not an entry of {noun}"
    if match := re.fullmatch(r"Expected `(?:float|int)` (\S+) (.+)", text):
        return f"{entry} must be {_BOUNDS.get(match[1], match[1])} {float(match[2]):g}"
    return f"{entry or 'the file'}: {text[:1].lower()}{text[1:]}"
