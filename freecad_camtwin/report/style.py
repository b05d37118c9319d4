# SPDX-License-Identifier: LGPL-2.1-or-later
"""The style of all pictures, in the report and in the window: palette, type sizes and line widths.

Load runs from pale to deep blue up to its limit. Above the limit it runs from vermilion to dark red, so a load of 101 %
and one of 300 % differ. Blue and vermilion differ in lightness and in hue for every kind of color vision (Okabe and
Ito's pair). Unknown is gray, and hatched in charts, never a line at zero.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

INK = "#1c2733"
QUIET = "#66727f"
FAINT = "#d9dfe5"
RAPID = "#c3cad1"
UNKNOWN = "#b4b4b4"
BEFORE = "#8fa3b5"
AFTER = "#0b4f8a"
OVER = "#d55e00"

_BLUES = ["#bcd6ea", "#6ba3d0", "#2a6fae", "#0a2f63"]
#: Load on a scale without a limit.
LOAD = LinearSegmentedColormap.from_list("camtwin_load", _BLUES, N=256).with_extremes(bad=UNKNOWN)

_ABOVE = [OVER, "#b02f0c", "#7a1206"]
#: Load over limit: the lower half of the map lies below the limit, the upper half above it.
LIMITED = LinearSegmentedColormap.from_list(
    "camtwin_limited",
    [*zip((0.0, 0.17, 0.33, 0.5), _BLUES, strict=True), *zip((0.5, 0.75, 1.0), _ABOVE, strict=True)],
    N=1024,
).with_extremes(over="#3d0636", bad=UNKNOWN)

#: Measured over predicted: blue where less was measured, white where they agree, vermilion where more.
RATIO = LinearSegmentedColormap.from_list(
    "camtwin_ratio", ["#0a2f63", "#6ba3d0", "#f2f2f0", "#eb9a5c", "#a83f00"], N=256
).with_extremes(bad=UNKNOWN)

_RC: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": QUIET,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "camtwin",
    "path.simplify": True,
    "hatch.linewidth": 0.5,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the report's style inside the block, and restore matplotlib's settings after it."""
    with mpl.rc_context(_RC):
        yield


def empty_figure(width: float, height: float) -> Figure:
    """Return an empty figure [inches] that needs no window and no global state."""
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06, rect=(0, 0, 1, 1 - 0.12 / height))
    made = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(made)
    return made


def rendered(drawn: Figure, kind: Literal["svg", "png"], dpi: int = 150) -> bytes:
    """Return the bytes of a picture; the same figure gives the same bytes."""
    _settle(drawn)
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    drawn.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def _settle(drawn: Figure) -> None:
    """Compute the layout and round it: the last digits of the solver depend on memory addresses."""
    drawn.draw_without_rendering()
    drawn.set_layout_engine("none")
    for axes in drawn.axes:
        axes.set_position(Bbox(axes.get_position(original=True).get_points().round(6)))


def unknown_band(axes: Axes, reason: str) -> None:
    """Fill a chart whose data are missing: hatched gray, with the reason in words."""
    axes.set_yticks([])
    axes.axhspan(0, 1, facecolor="#f3f4f5", edgecolor=UNKNOWN, hatch="////", linewidth=0)
    axes.set_ylim(0, 1)
    axes.text(
        0.5,
        0.5,
        reason,
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=QUIET,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 4},
    )
