# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stock as tiles of heights: their layout, their sample points, and a solid's upper surface over them.

Tile t = j·columns + i covers 8 rows of 8 cells from (x0 + 8·i·c, y0 + 8·j·c); cell k of it is column k mod 8 of
row k div 8. Each cell stands for the material under one sample point inside it (the essay in ``engagement`` says
why it is not the centre)::

        row 7  | ·      . |             x of row r:     (bit-reversed r + ½) / 8   of a cell
         ...                            y of column k:  (bit-reversed k + ½) / 8   of a cell
        row 0  |·  '  . ' |
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import lean_kernel

ROWS = 8  #: rows of a tile
COLUMNS = 8  #: columns of a tile
CELLS = ROWS * COLUMNS


class Field(NamedTuple):
    """A height field, as kernels see it: int32 quanta of 2⁻¹⁴ mm above the stock's underside, 0 for no material."""

    height: NDArray[np.int32]  #: (tiles, 64)
    top: NDArray[np.int32]  #: (tiles,) maximum of each tile
    rows: int  #: rows of tiles
    columns: int  #: columns of tiles
    x0: float  #: [mm] lower corner of tile 0
    y0: float
    z0: float  #: [mm] the stock's underside
    cell: float  #: c [mm]
    highest: float  #: [mm] highest material that the field ever had


def _reversed_bits(numbers: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    return np.asarray(sum(((numbers >> b) & 1) << (bits - 1 - b) for b in range(bits)))


_K = np.arange(CELLS)
#: (64,) sample points of a tile from its corner, in cells.
XS = (_K % COLUMNS + (_reversed_bits(_K // COLUMNS, 3) + 0.5) / ROWS).astype(np.float32)
YS = (_K // COLUMNS + (_reversed_bits(_K % COLUMNS, 3) + 0.5) / COLUMNS).astype(np.float32)


@lean_kernel
def raise_to_triangles(height: Any, columns: int, x0: float, y0: float, z0: float, cell: float, triangles: Any) -> None:
    """Raise each sample of ``height`` (tiles, 64) to the highest triangle above or below it.

    ``triangles``: shape (triangles, 3, 3) [mm]. A triangle's height at (x, y) is linear in both; a sample is inside
    where none of its three barycentric coordinates is negative. Upright triangles have no inside.
    """
    rows = height.shape[0] // columns
    for n in range(triangles.shape[0]):
        ax, ay, az = triangles[n, 0, 0] - x0, triangles[n, 0, 1] - y0, triangles[n, 0, 2] - z0
        bx, by, bz = triangles[n, 1, 0] - x0, triangles[n, 1, 1] - y0, triangles[n, 1, 2] - z0
        cx, cy, cz = triangles[n, 2, 0] - x0, triangles[n, 2, 1] - y0, triangles[n, 2, 2] - z0
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-12:
            continue
        # In cells; a sample lies up to one cell from its cell's corner.
        i0 = max(0, int(min(ax, bx, cx) / cell) - 1)
        i1 = min(columns * COLUMNS - 1, int(max(ax, bx, cx) / cell) + 1)
        j0 = max(0, int(min(ay, by, cy) / cell) - 1)
        j1 = min(rows * ROWS - 1, int(max(ay, by, cy) / cell) + 1)
        for j in range(j0, j1 + 1):
            for i in range(i0, i1 + 1):
                t = (j // ROWS) * columns + i // COLUMNS
                k = (j % ROWS) * COLUMNS + i % COLUMNS
                x = ((i // COLUMNS) * COLUMNS + XS[k]) * cell
                y = ((j // ROWS) * ROWS + YS[k]) * cell
                b = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
                c = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
                if b >= -1e-9 and c >= -1e-9 and b + c <= 1.0 + 1e-9:  # a sample on a common edge is in one at least
                    z = np.int32(np.floor((az + b * (bz - az) + c * (cz - az)) * 16384.0 + 0.5))
                    if z > height[t, k]:
                        height[t, k] = z
