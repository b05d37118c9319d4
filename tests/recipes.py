# SPDX-License-Identifier: LGPL-2.1-or-later
"""Follows the recipes of docs/recipes.md: takes their blocks off the page and puts them where the page says."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "recipes.md"

_BLOCK = re.compile(r"^(?P<intro>[^\n]+):\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NEW = re.compile(r"New file `(?P<path>[^`]+)`")
_INSERTED = re.compile(r"In `(?P<path>[^`]+)`, (?P<side>above|below) the line `(?P<line>[^`]+)`")


@dataclass(frozen=True)
class Recipe:
    """One section of the page: its edits in order, the script to try it with, and what that prints."""

    edits: tuple[tuple[str, str], ...]
    script: str
    prints: str

    def follow(self, root):
        """Write and insert the blocks into a copy of the packages."""
        for intro, text in self.edits:
            if new := _NEW.fullmatch(intro):
                path = root / new["path"]
                assert not path.exists(), f"{new['path']} exists already"
                path.write_text(text, encoding="utf-8")
            else:
                _insert(root, _INSERTED.fullmatch(intro), text)


def recipe(title):
    """Take a recipe off the page by its heading."""
    (section,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    blocks = [(match["intro"], match["text"]) for match in _BLOCK.finditer(section)]
    assert section.count("\n```") == 2 * len(blocks), f"a block of {title!r} has no line that says what to do with it"
    by_intro = dict(blocks)
    edits = tuple(block for block in blocks if block[0] not in ("Try it", "It prints"))
    return Recipe(edits, by_intro.get("Try it", ""), by_intro.get("It prints", ""))


def copied(folder):
    """Copy the package into a folder, as the recipes find it; the kernels stay where they are, compiled."""
    name = "freecad_camtwin"
    shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _insert(root, where, text):
    assert where, "a block that is neither a new file nor an insertion"
    path = root / where["path"]
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    (at,) = [i for i, line in enumerate(lines) if line.lstrip().startswith(where["line"])]
    lines.insert(at + (where["side"] == "below"), text)
    path.write_text("".join(lines), encoding="utf-8")
