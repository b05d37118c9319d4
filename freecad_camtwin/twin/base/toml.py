# SPDX-License-Identifier: LGPL-2.1-or-later
"""TOML that a person wrote, and what is wrong with it as a sentence: machine profiles, signal maps, materials."""

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
    """Read TOML as ``kind``; ProfileError, one sentence that begins with ``label``, where it is none.

    ``noun``: what the file is, for an entry that does not belong there; ``words``: those that an enumeration has.
    """
    try:
        return msgspec.toml.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise ProfileError(f"{label}: {_sentence(str(error), noun, words)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProfileError(f"{label} is not TOML: {error}") from error


def _sentence(complaint: str, noun: str, words: Iterable[str]) -> str:
    """Turn msgspec's words into ours: the entry first, then what is wrong with it."""
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
