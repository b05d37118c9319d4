# SPDX-License-Identifier: LGPL-2.1-or-later
"""Strip charts of a job: feed and loads over time, each with its limit, before and after."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from freecad_camtwin.report import style
from freecad_camtwin.twin.analysis.analysis import Analysis
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.sequences import run_begins
from freecad_camtwin.twin.base.words import LOAD_QUANTITIES

#: Columns of a chart: more data than this are drawn as a band from least to greatest.
_COLUMNS = 900


@dataclass(frozen=True, slots=True)
class Band:
    """Data put into columns: least, mean and greatest value in each; NaN where a column has none."""

    x: Floats
    least: Floats
    mean: Floats
    greatest: Floats


def banded(begin: Floats, x: Floats, values: Floats, columns: int = _COLUMNS) -> Band:
    """Collect steps from ``begin`` to ``x`` with ``values``, all (steps,), into columns of equal width.

    A step counts in the column of its end; a column without the end of a step has the value of the step across it.
    """
    known = np.isfinite(values)
    span = float(x[-1]) if len(x) and x[-1] > 0 else 1.0
    edges = np.linspace(0.0, span, columns + 1)
    which = np.clip(np.searchsorted(edges, x[known], side="left") - 1, 0, columns - 1)
    count = np.bincount(which, minlength=columns).astype(float)
    least, greatest = np.full(columns, np.inf), np.full(columns, -np.inf)
    np.minimum.at(least, which, values[known])
    np.maximum.at(greatest, which, values[known])
    total = np.bincount(which, weights=values[known], minlength=columns)
    centre = (edges[1:] + edges[:-1]) / 2
    mean = total / np.maximum(count, 1)
    empty = count == 0
    across = np.minimum(np.searchsorted(x, centre[empty]), max(len(x) - 1, 0))
    covered = np.where(begin[across] <= centre[empty], values[across], np.nan) if len(x) else np.nan
    least[empty] = mean[empty] = greatest[empty] = covered
    return Band(centre, least, mean, greatest)


def strip_charts(analysis: Analysis, after: Analysis | None = None) -> Figure:
    """Return the strip charts: feed, load over limit if there are limits, and every quantity with its unit."""
    rows = ["feed", *(["worst"] if np.isfinite(analysis.worst_ratio).any() else []), *LOAD_QUANTITIES]
    drawn = style.empty_figure(12.0, 0.7 + 1.25 * len(rows))
    strips = drawn.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    for axes, row in zip(strips, rows, strict=True):
        _strip(axes, analysis, after, row)
    _, place, unit = _place(analysis, after is not None)
    strips[-1].set_xlabel(unit)
    strips[-1].set_xlim(0, max(float(place[-1]) if len(place) else 1.0, 1e-9))
    _name_operations(strips[0], analysis, place)
    for axes in strips:
        axes.margins(x=0)
        axes.grid(axis="y", color=style.FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
    drawn.align_ylabels()
    return drawn


def _place(analysis: Analysis, comparing: bool) -> tuple[Floats, Floats, str]:
    """Return begin and end of every step on the horizontal axis, (steps,) each, and the label of that axis.

    Two sets of feeds are compared at the same place of the path, because their times differ.
    """
    length = analysis.engagement.length
    if analysis.schedule is None or comparing:
        end = np.cumsum(length) / 1000
        return end - length / 1000, end, "cutting path, m"
    move = analysis.engagement.move
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(length / analysis.job.toolpath.length[move])
    end = analysis.step_time
    return (end - share * analysis.duration[move]) / 60, end / 60, "time in the controller, min"


def _strip(axes: Axes, analysis: Analysis, after: Analysis | None, row: str) -> None:
    begin, place, _ = _place(analysis, after is not None)
    values, name, unit, limit = _row(analysis, row)
    axes.set_title(f"{name}, {unit}")
    if not np.isfinite(values).any():
        style.unknown_band(axes, _why_unknown(analysis))
        return
    _band(axes, banded(begin, place, values), style.BEFORE if after is not None else style.AFTER, "as programmed")
    if after is not None:
        _band(axes, banded(*_place(after, comparing=True)[:2], _row(after, row)[0]), style.AFTER, "as planned")
    if np.isfinite(limit).any():
        axes.step(place, limit, where="pre", color=style.OVER, linewidth=1.0, linestyle=(0, (4, 2)), label="limit")
    top = np.nanmax([np.nanmax(values), np.nanmax(_row(after, row)[0]) if after is not None else np.nan])
    ceiling = np.nanmax(limit) if np.isfinite(limit).any() else np.nan
    axes.set_ylim(0, 1.12 * (max(top, ceiling) if ceiling < 4 * top else top) or 1.0)
    if (row == "feed" and after is not None) or row == "worst":
        axes.legend(loc="upper right", ncols=3, bbox_to_anchor=(1.0, 1.22), borderaxespad=0.0, handlelength=1.6)


def _row(analysis: Analysis, row: str) -> tuple[Floats, str, str, Floats]:
    """Return values (steps,), name, unit and limit (steps,) of one strip."""
    nothing = np.full(len(analysis.engagement.move), np.nan)
    if row == "feed":
        return 60 * np.asarray(analysis.load.feed), "Feed", "mm/min", nothing
    if row == "worst":
        return 100 * analysis.worst_ratio, "Load", "% of the nearest limit", np.full_like(nothing, 100.0)
    attribute, name, unit = LOAD_QUANTITIES[row]
    bounds = np.array([getattr(limits, attribute) or np.nan for limits in analysis.limits] + [np.nan])
    return getattr(analysis.load, row), name[0].upper() + name[1:], unit, bounds[analysis.operation]


def _band(axes: Axes, band: Band, color: str, label: str) -> None:
    axes.fill_between(band.x, band.least, band.greatest, color=color, alpha=0.35, linewidth=0, step="mid")
    axes.step(band.x, band.mean, where="mid", color=color, linewidth=0.9, label=label)


def _why_unknown(analysis: Analysis) -> str:
    words = dict.fromkeys(word for unknown in analysis.unknown for word in unknown)
    return "unknown: the source does not state " + ", ".join(words) if words else "unknown"


def _name_operations(axes: Axes, analysis: Analysis, place: Floats) -> None:
    """Mark the begin of each operation, with its label if there is room for it."""
    operation = analysis.operation
    if not len(operation):
        return
    begins = np.flatnonzero(run_begins(operation))
    ends = np.concatenate([place[begins[1:]], [place[-1]]])
    for index, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        width = (end - place[begin]) / max(place[-1], 1e-9)
        if index % 2 == 0:
            for strip in axes.figure.axes:
                strip.axvspan(place[begin], end, color="#f6f8fa", linewidth=0, zorder=-1)
        if width > 0.06 and operation[begin] >= 0:
            label = analysis.job.operations[operation[begin]].label
            room = int(width * 130)
            axes.text(
                (place[begin] + end) / 2,
                1.32,
                label if len(label) <= room else label[: max(room - 1, 1)] + "…",
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=8,
                color=style.QUIET,
            )
