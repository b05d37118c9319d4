# SPDX-License-Identifier: LGPL-2.1-or-later
"""The toolpath as a picture: from above and isometric, colored by load, rapids thin and gray."""

import itertools
import math
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from freecad_camtwin.report import style
from freecad_camtwin.report.coloring import Coloring
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.base.sequences import run_begins
from freecad_camtwin.twin.job.job import Job, Stock

#: At most this many pieces are drawn: steps of one move are joined, and the greatest value sets the color.
MOST_PIECES = 150_000
#: Ticks of a scale of ratios.
RATIO_TICKS = (0.25, 0.33, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6, 2.0, 3.0, 4.0)

#: Ticks of a load over its limit [%].
LIMITED_TICKS = (0, 25, 50, 75, 100, 150, 200, 250, 300)

_COS, _SIN = math.cos(math.pi / 6), math.sin(math.pi / 6)
#: (2, 3) matrices from space to the paper.
TOP = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
ISOMETRIC = np.array([[_COS, -_COS, 0.0], [_SIN, _SIN, 1.0]])


class DrawnSteps(Protocol):
    """The steps of a path that are drawn."""

    @property
    def move(self) -> Ints:
        """(steps,)."""

    @property
    def start(self) -> Floats:
        """(steps, 3) [mm]."""

    @property
    def end(self) -> Floats:
        """(steps, 3) [mm]."""


class Pictured(Protocol):
    """An analysis or a comparison, which can be drawn."""

    @property
    def job(self) -> Job:
        """The job whose stock and rapids are drawn."""

    @property
    def engagement(self) -> DrawnSteps:
        """The steps that are colored."""


def draw(axes: Axes, shown: Pictured, coloring: Coloring, view: Floats) -> None:
    """Draw stock, rapids and load-colored steps into ``axes`` as seen through ``view``, (2, 3)."""
    _draw_stock(axes, shown.job.stock, view)
    path = shown.job.toolpath
    rapid = ~path.is_cutting & (path.length > 0)
    rapids = np.stack([path.start[rapid] @ view.T, path.end[rapid] @ view.T], axis=1)
    axes.add_collection(LineCollection(list(rapids), colors=style.RAPID, linewidths=0.35, zorder=1, rasterized=True))
    engagement = shown.engagement
    start, end, value = pieces(engagement.move, engagement.start, engagement.end, coloring.values)
    order = np.argsort(np.nan_to_num(value, nan=-1.0), kind="stable")  # the greatest load is drawn last, on top
    segments = np.stack([start @ view.T, end @ view.T], axis=1)[order]
    lines = LineCollection(
        list(segments),
        cmap=coloring.palette,
        norm=coloring.scale,
        linewidths=1.1,
        capstyle="round",
        zorder=2,
        rasterized=True,
    )
    lines.set_array(np.ma.masked_invalid(value[order]))
    axes.add_collection(lines)
    axes.autoscale_view()
    axes.set_aspect("equal")


def pieces(move: Ints, start: Floats, end: Floats, value: Floats) -> tuple[Floats, Floats, Floats]:
    """Join neighboring steps of the same move until at most ``MOST_PIECES`` are left; each has the greatest value."""
    if len(move) <= MOST_PIECES:
        return start, end, value
    together = math.ceil(len(move) / MOST_PIECES)
    first_of_move = np.maximum.accumulate(np.where(run_begins(move), np.arange(len(move)), 0))
    heads = np.flatnonzero((np.arange(len(move)) - first_of_move) % together == 0)
    tails = np.concatenate([heads[1:], [len(move)]]) - 1
    return start[heads], end[tails], np.fmax.reduceat(value, heads)


def path_figure(shown: Pictured, coloring: Coloring, title: str = "") -> Figure:
    """Return the picture: top view and isometric view side by side, one legend."""
    drawn = style.empty_figure(12.0, 1.4 + 5.4 * _tallness(shown))
    left, right = drawn.subplots(1, 2)
    draw(left, shown, coloring, TOP)
    left.set_title("From above")
    left.set_xlabel("X, mm")
    left.set_ylabel("Y, mm")
    left.tick_params(length=2)
    draw(right, shown, coloring, ISOMETRIC)
    right.set_title("Isometric")
    right.set_axis_off()
    _draw_axes(right, shown)
    _draw_legend(drawn, [left, right], coloring)
    if title:
        drawn.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return drawn


def _tallness(shown: Pictured) -> float:
    """Return height / width of the taller of the two views, limited to 0.4 … 1.1."""
    path, stock = shown.job.toolpath, shown.job.stock
    low, high = path.end.min(axis=0), path.end.max(axis=0)
    if stock is not None:
        low, high = np.minimum(low, stock.lower), np.maximum(high, stock.upper)
    corners = np.array(list(itertools.product(*zip(low, high, strict=True))))
    spans = [np.ptp(corners @ view.T, axis=0) for view in (TOP, ISOMETRIC)]
    return float(np.clip(max(span[1] / max(span[0], 1e-6) for span in spans), 0.4, 1.1))


def _draw_legend(drawn: Figure, axes: list[Axes], coloring: Coloring) -> None:
    bar = drawn.colorbar(
        ScalarMappable(coloring.scale, coloring.palette),
        ax=axes,
        location="bottom",
        fraction=0.05,
        pad=0.02,
        aspect=55,
        extend=coloring.extend,
    )
    bar.outline.set_visible(False)
    if isinstance(coloring.scale, LogNorm):
        bar.ax.xaxis.set_major_locator(FixedLocator(RATIO_TICKS))
        bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bar.ax.xaxis.set_minor_locator(NullLocator())
    words = "above the limit: orange to dark red;  " if coloring.limited else ""
    bar.set_label(f"{coloring.label}      {words}gray: unknown or rapid", color=style.QUIET)
    if coloring.limited:
        bar.ax.xaxis.set_major_locator(FixedLocator(LIMITED_TICKS))
        bar.ax.axvline(100, color=style.INK, linewidth=1.2)


def _draw_stock(axes: Axes, stock: Stock | None, view: Floats) -> None:
    if stock is None:
        return
    corners = np.array(list(itertools.product(*zip(stock.lower, stock.upper, strict=True))))
    edges = [(a @ view.T, b @ view.T) for a, b in itertools.combinations(corners, 2) if np.count_nonzero(a != b) == 1]
    axes.add_collection(LineCollection(edges, colors=style.FAINT, linewidths=1.0, zorder=0))


def _draw_axes(axes: Axes, shown: Pictured) -> None:
    """Draw a small triad at the lower left of the isometric view."""
    low, high = np.array(axes.get_xlim()), np.array(axes.get_ylim())
    size = 0.06 * max(np.ptp(low), np.ptp(high))
    origin = np.array([low[0] + 1.6 * size, high[0] + 0.4 * size])
    for name, direction in zip("XYZ", ISOMETRIC.T, strict=True):
        tip = origin + size * direction
        axes.annotate(
            "", tuple(tip), tuple(origin), arrowprops={"arrowstyle": "-|>", "color": style.QUIET, "linewidth": 0.8}
        )
        x, y = origin + 1.25 * size * direction
        axes.text(x, y, name, color=style.QUIET, fontsize=8, ha="center", va="center")
