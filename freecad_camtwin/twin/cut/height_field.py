# SPDX-License-Identifier: LGPL-2.1-or-later
"""The workpiece while it is cut: a field of heights made from the raw stock."""

import ctypes
import math
import os
import sys
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels import stock as kernel
from freecad_camtwin.errors import StockError
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.job.job import Stock

#: Heights are whole multiples of this [mm].
QUANTUM = 2.0**-14

#: Taller stock would overflow the sum over a tile [mm].
TALLEST = 1000.0

#: A warning is given if more than this share of a solid's volume is hollow and hidden from above.
HOLLOW_SHARE = 0.01


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows' sysinfoapi.h."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        ("others", ctypes.c_uint64 * 5),
    )


def available_memory() -> int:
    """Return how many bytes of memory are free, or a cautious 4 GB if the system does not report it."""
    if sys.platform == "win32":
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
            return int(status.available)
        return 4 * 2**30
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    if "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return 4 * 2**30


def memory_estimate(width: float, depth: float, cell: float) -> int:
    """Return how many bytes a height field over ``width`` × ``depth`` mm takes, rounded up to whole tiles."""
    columns = math.ceil(width / cell / kernel.COLUMNS)
    rows = math.ceil(depth / cell / kernel.ROWS)
    return rows * columns * (kernel.CELLS + 1) * 4


@dataclass(frozen=True)
class HeightField:
    """The material under every cell of a square grid, tile by tile (see ``camtwin_kernels.stock``)."""

    height: Ints  #: (tiles, 64) top of the material above the stock's underside in QUANTUM
    rows: int  #: rows of tiles
    columns: int  #: columns of tiles
    lower: tuple[float, float, float]  #: least corner of the stock [mm]
    upper: tuple[float, float, float]  #: greatest corner [mm]
    cell: float  #: [mm]

    @classmethod
    def of(cls, stock: Stock, cell: float, *, memory_limit: int | None = None) -> "HeightField":
        """Return the raw stock. Raises StockError, with the estimate, if it would not fit in memory.

        ``memory_limit`` in bytes; half of what is available unless given.
        """
        width, depth, tall = (high - low for low, high in zip(stock.lower, stock.upper, strict=True))
        if not (cell > 0 and math.isfinite(cell)):
            raise StockError(f"a cell of {cell:g} mm is impossible: give a length above 0")
        if not (width > 0 and depth > 0 and tall > 0 and math.isfinite(width + depth + tall)):
            raise StockError(f"the stock is empty: {width:g} × {depth:g} × {tall:g} mm")
        if tall > TALLEST:
            raise StockError(f"the stock is {tall:g} mm tall, more than the {TALLEST:g} mm that can be simulated")
        limit = available_memory() // 2 if memory_limit is None else memory_limit
        estimate = memory_estimate(width, depth, cell)
        if estimate > limit:
            fits = cell * math.sqrt(estimate / limit) * 1.02
            raise StockError(
                f"a stock of {width:g} × {depth:g} mm at a cell of {cell:g} mm takes {estimate / 1e6:,.0f} MB and "
                f"{limit / 1e6:,.0f} MB may be used: choose a cell of {fits:.2g} mm or more"
            )
        columns = math.ceil(width / cell / kernel.COLUMNS - 1e-9)
        rows = math.ceil(depth / cell / kernel.ROWS - 1e-9)
        height = np.zeros((rows * columns, kernel.CELLS), np.int32)
        field = cls(height, rows, columns, stock.lower, stock.upper, cell)
        field._fill(stock)
        return field

    def _fill(self, stock: Stock) -> None:
        top = math.floor((stock.upper[2] - stock.lower[2]) / QUANTUM + 0.5)
        if stock.kind == "solid" and stock.triangles is not None:
            triangles = np.ascontiguousarray(stock.triangles, dtype=np.float64)
            kernel.raise_to_triangles(self.height, self.columns, *stock.lower, self.cell, triangles)
            return
        middle = [(low + high) / 2 for low, high in zip(stock.lower, stock.upper, strict=True)]
        radius = (stock.upper[0] - stock.lower[0]) / 2
        for row in range(self.rows):  # one row of tiles at a time: no large temporaries
            tiles = slice(row * self.columns, (row + 1) * self.columns)
            x, y = self.samples(row)
            if stock.kind == "cylinder":
                is_inside = np.hypot(x - middle[0], y - middle[1]) <= radius
            else:
                is_inside = (x < stock.upper[0]) & (y < stock.upper[1])
            self.height[tiles][is_inside] = top

    def samples(self, row: int) -> tuple[Floats, Floats]:
        """Return x and y of the sample points of one row of tiles [mm], shape (columns, 64) each."""
        tiles = np.arange(self.columns)[:, None]
        x = self.lower[0] + (tiles * kernel.COLUMNS + kernel.XS.astype(np.float64)) * self.cell
        y = self.lower[1] + (row * kernel.ROWS + kernel.YS.astype(np.float64)) * self.cell
        return np.asarray(x, np.float64), np.broadcast_to(np.asarray(y, np.float64), x.shape)

    def view(self) -> kernel.Field:
        """Return the field for the kernels, which cut into ``height`` itself."""
        top = self.height.max(axis=1)
        return kernel.Field(self.height, top, self.rows, self.columns, *self.lower, self.cell, self.upper[2])

    def copy(self) -> "HeightField":
        """Return a field that can be cut without touching this one."""
        return replace(self, height=self.height.copy())

    @property
    def quanta(self) -> int:
        """Sum of all material heights above the stock's underside, an exact whole number."""
        return int(self.height.sum(dtype=np.int64))

    @property
    def volume(self) -> float:
        """Volume of the remaining stock [mm³]."""
        return self.quanta * QUANTUM * self.cell**2

    def grid(self) -> NDArray[np.float32]:
        """Return heights as a picture [mm], shape (cells along y, cells along x); NaN where no material is left."""
        tiles = self.height.reshape(self.rows, self.columns, kernel.ROWS, kernel.COLUMNS)
        rows = tiles.transpose(0, 2, 1, 3).reshape(self.rows * kernel.ROWS, self.columns * kernel.COLUMNS)
        ny = min(rows.shape[0], math.ceil((self.upper[1] - self.lower[1]) / self.cell - 1e-9))
        nx = min(rows.shape[1], math.ceil((self.upper[0] - self.lower[0]) / self.cell - 1e-9))
        shown = rows[:ny, :nx]
        heights = shown * np.float32(QUANTUM) + np.float32(self.lower[2])
        heights[shown == 0] = np.nan
        return np.asarray(heights, np.float32)


def solid_volume(triangles: Floats) -> float:
    """Return the volume in a closed surface (triangles, 3, 3) [mm³], NaN if it is open: a sum of tetrahedra."""
    a, b, c = np.moveaxis(triangles - triangles.reshape(-1, 3).min(axis=0), 1, 0)
    areas = np.cross(b - a, c - a)
    if np.linalg.norm(areas.sum(axis=0)) > 1e-6 * np.linalg.norm(areas, axis=1).sum():
        return math.nan
    return abs(float(np.einsum("ij,ij->", a, np.cross(b, c)))) / 6


def hidden_hollow(stock: Stock, field: HeightField) -> str:
    """Return a warning if a solid is hollow below its upper surface, where a height field has material; else "".

    Less than ``HOLLOW_SHARE`` of the solid is within the resolution of the cells.
    """
    if stock.kind != "solid" or stock.triangles is None:
        return ""
    solid = solid_volume(np.asarray(stock.triangles, np.float64))
    hollow = field.volume - solid
    if not hollow > HOLLOW_SHARE * solid:
        return ""
    return (
        f"the stock is hollow below its upper surface by {hollow:.3g} mm³, {hollow / solid:.0%} of its volume: "
        "the simulation takes it as full of material, because a height field stores only the upper surface"
    )
