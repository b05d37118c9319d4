# SPDX-License-Identifier: LGPL-2.1-or-later
"""Charts of a run beside its prediction: load, ratio and feed over path length, and measured over predicted load."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from freecad_camtwin.report import style
from freecad_camtwin.report.charts import Band, banded
from freecad_camtwin.report.coloring import MEASURED
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.sequences import run_begins
from freecad_camtwin.twin.runs.along_path import Comparison

#: Marks of the operations in the scatter; all operations beyond them share the last mark.
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
_HUES = ("#0b4f8a", "#d55e00", "#009e73", "#8c6bb1", "#e69f00", "#56b4e9", "#7a4b2a", "#66727f")


def strips(comparison: Comparison) -> Figure:
    """Return load, measured over predicted load, and feed, each over path length."""
    drawn = style.empty_figure(12.0, 6.4)
    rows = drawn.subplots(3, 1, sharex=True, squeeze=False, height_ratios=[1.7, 1.0, 1.0])[:, 0]
    _load(rows[0], comparison)
    _ratio(rows[1], comparison)
    _feed(rows[2], comparison)
    arc_length = comparison.samples.way
    rows[-1].set_xlabel("arc length along the program, m")
    rows[-1].set_xlim((arc_length[0] / 1000, arc_length[-1] / 1000) if len(arc_length) > 1 else (0, 1))
    _operations(list(rows), comparison)
    for axes in rows:
        axes.margins(x=0)
        axes.grid(axis="y", color=style.FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        for begin, end in comparison.gaps:
            axes.axvspan(begin / 1000, end / 1000, facecolor="#f3f4f5", edgecolor=style.UNKNOWN, hatch="////", lw=0)
    drawn.align_ylabels()
    return drawn


def scatter(comparison: Comparison) -> Figure:
    """Return measured against predicted load, a point for each second of cut, and the ratio of each operation."""
    drawn = style.empty_figure(12.0, 4.8)
    left, right = drawn.subplots(1, 2, width_ratios=[1.0, 1.15])
    _points(left, comparison)
    _ratios(right, comparison)
    return drawn


def _name(comparison: Comparison) -> tuple[str, str]:
    if comparison.load is None:
        return "Load", ""
    name = MEASURED[comparison.load.name]
    return name[0].upper() + name[1:], comparison.load.unit


def _banded(comparison: Comparison, values: Floats) -> Band:
    arc_length = comparison.samples.way
    origin = arc_length[0] if len(arc_length) else 0.0
    band = banded((comparison.samples.since - origin) / 1000, (arc_length - origin) / 1000, values)
    return Band(band.x + origin / 1000, band.least, band.mean, band.greatest)


def _load(axes: Axes, comparison: Comparison) -> None:
    name, unit = _name(comparison)
    axes.set_title(f"{name}, {unit}" if unit else name)
    measured, predicted = comparison.samples.measured, comparison.samples.predicted
    if not np.isfinite(measured).any():
        style.unknown_band(axes, "the run contains no load of the cut")
        return
    band = _banded(comparison, measured)
    axes.fill_between(band.x, band.least, band.greatest, color=style.OVER, alpha=0.22, linewidth=0, step="mid")
    axes.step(band.x, band.mean, where="mid", color=style.OVER, linewidth=0.9, label="measured, without idling")
    top = float(np.nanquantile(band.greatest, 0.995))
    if np.isfinite(predicted).any():
        expected = _banded(comparison, predicted)
        axes.step(expected.x, expected.mean, where="mid", color=style.AFTER, linewidth=0.9, label="predicted")
        top = max(top, float(np.nanmax(expected.mean)))
    axes.set_ylim(min(0.0, 1.1 * float(np.nanmin(band.mean))), 1.12 * top or 1.0)
    axes.legend(loc="upper right", ncols=2, bbox_to_anchor=(1.0, 1.16), borderaxespad=0.0, handlelength=1.6)


def _ratio(axes: Axes, comparison: Comparison) -> None:
    axes.set_title("Measured over predicted load")
    samples = comparison.samples
    measured, predicted = (_banded(comparison, each).mean for each in (samples.measured, samples.predicted))
    if not np.isfinite(measured).any() or not (predicted > 0).any():
        style.unknown_band(axes, "unknown: no load is both measured and predicted")
        return
    floor = 0.05 * float(np.nanquantile(predicted[predicted > 0], 0.9))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(predicted > floor, measured / predicted, np.nan)
    axes.axhline(1.0, color=style.AFTER, linewidth=0.9)
    axes.step(_banded(comparison, samples.measured).x, ratio, where="mid", color=style.OVER, linewidth=0.9)
    known = ratio[np.isfinite(ratio)]
    low, high = np.quantile(known, [0.01, 0.99]) if known.size else (0.5, 2.0)
    axes.set_ylim(min(0.8, 0.9 * low), max(1.2, 1.1 * high))


def _feed(axes: Axes, comparison: Comparison) -> None:
    axes.set_title("Feed, mm/min")
    samples = comparison.samples
    cutting = (samples.programmed > 0) & np.isfinite(samples.feed)
    if not cutting.any():
        style.unknown_band(axes, "no feed move has data")
        return
    reached = _banded(comparison, 60 * np.where(cutting, samples.feed, np.nan))
    programmed = _banded(comparison, np.where(cutting, 60 * samples.programmed, np.nan))
    axes.fill_between(reached.x, reached.least, reached.greatest, color=style.OVER, alpha=0.22, linewidth=0, step="mid")
    axes.step(reached.x, reached.mean, where="mid", color=style.OVER, linewidth=0.9, label="reached")
    axes.step(programmed.x, programmed.mean, where="mid", color=style.AFTER, linewidth=0.9, label="programmed")
    axes.set_ylim(0, 1.12 * max(float(np.nanmax(programmed.mean)), float(np.nanmax(reached.mean))) or 1.0)
    axes.legend(loc="upper right", ncols=2, bbox_to_anchor=(1.0, 1.28), borderaxespad=0.0, handlelength=1.6)


def _operations(rows: list[Axes], comparison: Comparison) -> None:
    """Draw a stripe for every second operation, and the label of each operation if there is room for it."""
    arc_length, operation = comparison.samples.way / 1000, comparison.samples.operation
    if not len(arc_length):
        return
    begins = np.flatnonzero(run_begins(operation))
    ends = np.append(begins[1:], len(arc_length)) - 1
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        if number % 2 == 0:
            for axes in rows:
                axes.axvspan(arc_length[begin], arc_length[end], color="#f6f8fa", linewidth=0, zorder=-1)
        width = (arc_length[end] - arc_length[begin]) / max(arc_length[-1] - arc_length[0], 1e-9)
        if width > 0.05 and operation[begin] >= 0:
            label = _short(comparison.job.operations[operation[begin]].label, int(width * 120))
            middle = (arc_length[begin] + arc_length[end]) / 2
            rows[0].text(
                middle, 1.16, label, transform=rows[0].get_xaxis_transform(), ha="center", va="bottom", fontsize=8,
                color=style.QUIET,
            )  # fmt: skip


def _short(words: str, room: int) -> str:
    return words if len(words) <= room else words[: max(room - 1, 1)] + "…"


def _points(axes: Axes, comparison: Comparison) -> None:
    name, unit = _name(comparison)
    axes.set_title(f"{name} of every second of cut, {unit}" if unit else name)
    pieces = comparison.pieces
    if not len(pieces.measured):
        style.unknown_band(axes, "unknown: no load is both measured and predicted")
        return
    top = 1.05 * float(max(np.quantile(pieces.measured, 0.995), pieces.predicted.max(), 1e-9))
    axes.plot([0, top], [0, top], color=style.AFTER, linewidth=0.9)
    axes.annotate(
        "as predicted", (0.97 * top, 0.97 * top), ha="right", va="bottom", rotation=45, rotation_mode="anchor",
        transform_rotates_text=True, fontsize=8, color=style.AFTER,
    )  # fmt: skip
    for operation in np.unique(pieces.operation):
        at, here = min(int(operation), len(_MARKS) - 1), pieces.operation == operation
        axes.scatter(
            pieces.predicted[here], pieces.measured[here], s=11, marker=_MARKS[at], color=_HUES[at], alpha=0.55,
            linewidths=0, label=_short(comparison.job.operations[operation].label, 28), rasterized=True,
        )  # fmt: skip
    ratio = comparison.execution.figures.loads[comparison.load.name].ratio if comparison.load is not None else None
    if ratio is not None:
        axes.plot([0, top], [0, ratio * top], color=style.OVER, linewidth=0.9, linestyle=(0, (4, 2)))
    axes.set_xlim(0, top)
    axes.set_ylim(min(0.0, float(pieces.measured.min())), top)
    axes.set_xlabel(f"predicted, {unit}")
    axes.set_ylabel(f"measured, {unit}")
    if len(np.unique(pieces.operation)) <= len(_MARKS):
        axes.legend(loc="upper left", markerscale=1.6)


def _ratios(axes: Axes, comparison: Comparison) -> None:
    """Draw the ratio of every operation with its spread."""
    axes.set_title("Measured over predicted load, per operation")
    rows = _known_ratios(comparison)
    if not rows:
        style.unknown_band(axes, "unknown: no load is both measured and predicted")
        return
    axes.axvline(1.0, color=style.AFTER, linewidth=0.9)
    for place, (index, _, ratio, low, high) in enumerate(rows):
        hue = _HUES[min(index, len(_HUES) - 1)]
        axes.plot([low, high], [place, place], color=hue, linewidth=5, alpha=0.35)
        axes.plot([ratio], [place], marker=_MARKS[min(index, len(_MARKS) - 1)], color=hue, markersize=7)
        axes.text(max(high, ratio), place, f"   {ratio:.2f}", va="center", ha="left", fontsize=8.5, color=style.INK)
    axes.set_yticks(range(len(rows)), [_short(row[1], 30) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xlim(max(min([0.7, *(0.85 * row[3] for row in rows)]), 0.05), max([1.4, *(1.25 * row[4] for row in rows)]))
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x", color=style.FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("line: range of two thirds of all seconds of cut")


def _known_ratios(comparison: Comparison) -> list[tuple[int, str, float, float, float]]:
    """Return number, label and ratio (of the whole, low, high) of every operation that has one."""
    rows = []
    for index, figures in enumerate(comparison.execution.operations):
        of = figures.loads.get(comparison.load.name) if comparison.load is not None else None
        if of is not None and of.ratio is not None and of.ratio_low is not None and of.ratio_high is not None:
            rows.append((index, figures.label, of.ratio, of.ratio_low, of.ratio_high))
    return rows
