# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cutting-force coefficients of work materials, each with its source and its uncertainty."""

import csv
import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from freecad_camtwin.errors import ProfileError
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.toml import decode_toml

#: Radial and axial coefficients as shares of the tangential ones, for materials with tangential coefficients only: the
#: medians of the linear-edge sets in ``data/materials.csv`` that have them.
TYPICAL_RATIOS = {"krc": 0.29, "kac": 0.31, "kre": 1.03, "kae": 0.10}


@dataclass(frozen=True, slots=True)
class Material:
    """One work material: Kienzle's kc = kc11·h^-mc, or a linear-edge set, never both. Unknown values are None.

    Raises ProfileError, naming the entry, if a number is missing or impossible.
    """

    key: str
    name: str = ""
    iso_group: str = ""  #: P, M, K, N, S or H (ISO 513)
    kc11: float | None = None  #: specific cutting force at 1 mm × 1 mm [MPa]
    mc: float | None = None  #: its falling exponent over chip thickness
    ktc: float | None = None  #: tangential shear coefficient [MPa]
    kte: float | None = None  #: tangential edge coefficient [N/mm]
    krc: float | None = None  #: radial [MPa]
    kre: float | None = None  #: [N/mm]
    kac: float | None = None  #: axial [MPa]
    kae: float | None = None  #: [N/mm]
    drilling: float | None = None  #: Tungaloy's material factor K
    sigma: float = 0.25  #: relative standard deviation assumed before any measurement
    aliases: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("kc11", "mc", "ktc", "kte", "krc", "kre", "kac", "kae", "drilling", "sigma"):
            value = getattr(self, field)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ProfileError(f"material {self.key!r} has {field} = {value:g}; give it a number of at least 0")
        if (self.kc11 is None) == (self.ktc is None):
            raise ProfileError(f"material {self.key!r} needs either kc11 and mc or ktc and kte, and not both")
        if not (self.kc11 or self.ktc):
            raise ProfileError(f"material {self.key!r} has a cutting force of 0; give it kc11 or ktc above 0")
        if self.mc is not None and self.mc >= 1:
            raise ProfileError(f"material {self.key!r} has mc = {self.mc:g}; it must be below 1")

    @property
    def is_kienzle(self) -> bool:
        """Whether forces follow kc11 and mc; else the linear-edge set."""
        return self.kc11 is not None

    @property
    def ratios(self) -> tuple[float, float, float, float]:
        """krc/ktc, kac/ktc, kre/kte, kae/kte; ``TYPICAL_RATIOS`` where they are unknown."""
        return (
            _ratio(self.krc, self.ktc, "krc"),
            _ratio(self.kac, self.ktc, "kac"),
            _ratio(self.kre, self.kte, "kre"),
            _ratio(self.kae, self.kte, "kae"),
        )

    def coefficients(self, h: Floats | float) -> tuple[Floats, Floats]:
        """Tangential ktc [MPa] and kte [N/mm] for chips ``h`` [mm] thick; of Kienzle's curve the tangent at h."""
        h = np.asarray(h, np.float64)
        if self.kc11 is None:
            return np.full_like(h, self.ktc or math.nan), np.full_like(h, self.kte or 0.0)
        mc, kc = self.mc or 0.0, self.kc11 * h ** -(self.mc or 0.0)
        return (1 - mc) * kc, mc * kc * h


def _ratio(part: float | None, whole: float | None, name: str) -> float:
    return TYPICAL_RATIOS[name] if part is None or not whole else part / whole


@cache
def materials() -> Mapping[str, Material]:
    """All materials that come with CAM Twin, by key, in the table's order."""
    data = resources.files("freecad_camtwin.twin") / "data"
    rows, factors = (
        csv.DictReader((data / name).read_text(encoding="utf-8").splitlines())
        for name in ("materials.csv", "drilling.csv")
    )
    table = _table(rows, "materials.csv")
    for row in factors:
        for key in filter(None, row["materials"].split(";")):
            table[key] = replace(table[key], drilling=float(row["factor"]))
    return table


def read_materials(path: Path) -> Mapping[str, Material]:
    """Materials of a user's own file: CSV with the columns of ``data/materials.csv``, or TOML, a table per material.

    Only ``key`` (in TOML the table's name) and the coefficients are needed. Raises ProfileError.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"the material file {path} cannot be read: {error}") from error
    if path.suffix.lower() != ".toml":
        try:
            return _table(csv.DictReader(text.splitlines()), path.name)
        except csv.Error as error:
            raise ProfileError(f"{path.name} is no table: {error}") from error
    entries = decode_toml(text, dict[str, Any], path.name)
    for key, entry in entries.items():
        if not isinstance(entry, dict):
            raise ProfileError(f"{path.name}: {key!r} is not a material; write one table [NAME] per material")
    return _table(({"key": key} | entry for key, entry in entries.items()), path.name)


def _table(rows: Iterable[Mapping[str, Any]], where: str) -> dict[str, Material]:
    table = {material.key: material for material in (_material(row, where) for row in rows)}
    if not table:
        raise ProfileError(f"{where} holds no material")
    return table


def _material(row: Mapping[str, Any], where: str) -> Material:
    texts = {"key", "name", "iso_group", "source"}
    columns = [field.name for field in fields(Material)]
    values: dict[str, Any] = {}
    for column, value in row.items():
        if column not in columns:
            raise ProfileError(f"{where}: {row.get('key')!r} has an unknown entry {column!r}; use {', '.join(columns)}")
        if column == "aliases":
            values[column] = tuple(value.split(";") if isinstance(value, str) else value or ()) if value else ()
        elif column in texts:
            values[column] = str(value or "")
        elif value not in (None, ""):
            values[column] = _number(value, f"{where}: {column} of {row.get('key')!r}")
    if not values.get("key"):
        raise ProfileError(f"{where} has a material without a key")
    return Material(**values)


def _number(value: object, what: str) -> float:
    try:
        return float(str(value))
    except ValueError as error:
        raise ProfileError(f"{what} is {value!r}, not a number") from error


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", word.lower())


def find_material(word: str, among: Mapping[str, Material] | None = None) -> Material:
    """Return the material named by ``word``: key, name or alias; case, blanks, dashes and temper do not matter.

    ``word`` may also be a file that ``read_materials`` reads, as FILE if it holds one material, else as FILE#KEY.
    Raises ProfileError naming near matches.

    >>> find_material("AISI 1045").key, find_material("6061-T651").key
    ('C45', '6061')
    """
    if among is None:
        path, _, entry = word.partition("#")
        if Path(path).suffix.lower() in (".toml", ".csv"):
            return _of_file(Path(path), entry)
        among = materials()
    names = {_plain(name): m.key for m in reversed(list(among.values())) for name in (m.name, *m.aliases)}
    names |= {_plain(own): own for own in among}
    key = _plain(word)
    # A temper or treatment, as in 6061-T651, 7075 T6, C45+N or 4140 QT, does not change the alloy.
    bare = _plain(re.sub(r"[-+ _](t\d+|h\d+|o|n|qt|a|f)$", "", word.strip(), flags=re.IGNORECASE))
    for name in (key, bare):
        if name and name in names:
            return among[names[name]]
    near = difflib.get_close_matches(key, names, n=6, cutoff=0.5)
    near += [name for name in names if key and key in name]
    keys = list(dict.fromkeys(names[name] for name in near))[:4] or list(among)[:4]
    raise ProfileError(f"no material is called {word!r}; near it are {', '.join(keys)}")


def _of_file(path: Path, entry: str) -> Material:
    table = read_materials(path)
    if entry:
        return find_material(entry, table)
    if len(table) > 1:
        raise ProfileError(f"{path.name} holds several materials; choose one as {path.name}#{next(iter(table))}")
    return next(iter(table.values()))
