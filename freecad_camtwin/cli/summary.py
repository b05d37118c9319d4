# SPDX-License-Identifier: LGPL-2.1-or-later
"""Print an analysis on the terminal: the verdicts first, then a row per operation."""

from collections.abc import Sequence
from typing import Any

from freecad_camtwin.cli.text import say, table
from freecad_camtwin.twin.analysis import schema
from freecad_camtwin.twin.analysis.analysis import Analysis
from freecad_camtwin.twin.analysis.verdicts import verdict_sentences
from freecad_camtwin.twin.base.arrays import greatest
from freecad_camtwin.twin.base.words import clock, digits

#: Quantity → (heading, factor to its unit).
_PEAKS = {
    "power": ("W", 1.0),
    "torque": ("N·m", 1e-3),
    "force": ("N", 1.0),
    "deflection": ("µm bend", 1e3),
    "h_ex": ("µm chip", 1e3),
}


def print_analysis(analysis: Analysis) -> None:
    """Print the verdicts, the operations with their peaks, and what is unknown."""
    entries = [schema.operation(analysis, index) for index in range(len(analysis.job.operations))]
    for name, sentence in verdict_sentences(analysis).items():
        say(f"{name.capitalize() + ':':8}{sentence}")
    verdicts = [verdict for entry in entries for verdict in entry["verdicts"]]
    for verdict in verdicts:
        say(f"  ! {verdict}")
    say()
    print_operations(analysis, entries)
    for sentence in (*analysis.supplied, *analysis.warnings):
        say(f"note: {sentence}")


def worst_load(analysis: Analysis) -> str:
    """Return the greatest load in a few words: as a share of its limit if there is one, else as power."""
    known = [entry for entry in (greatest(ratio) for ratio in analysis.ratios.values()) if entry is not None]
    if known:
        return f"{100 * max(known):.0f} % of its limit"
    power = greatest(analysis.load.power)
    return "unknown" if power is None else f"{power:.3g} W"


def print_operations(analysis: Analysis, entries: Sequence[dict[str, Any]]) -> None:
    """Print one row per operation: cutting length, removed volume, time and peaks."""
    heads = ["operation", "tool", "m", "cm³", "time", *(head for head, _ in _PEAKS.values()), "of limit", "unknown"]
    rows = []
    for entry in entries:
        seconds = entry["time"] if analysis.schedule is not None else entry["time_at_feed"]
        rows.append(
            [
                _short(entry["label"], 34),
                _short(entry["tool"] or "none", 24),
                f"{entry['cutting_length'] / 1000:.2f}",
                f"{entry['removed_volume'] / 1000:.3f}",
                "?" if seconds is None else clock(seconds),
                *(_known(entry["peak"][name], factor) for name, (_, factor) in _PEAKS.items()),
                "?" if entry["worst_ratio"] is None else f"{100 * entry['worst_ratio']:.0f} %",
                ", ".join(entry["unknown"]),
            ]
        )
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    table(heads, rows, left=2)


def _known(value: float | None, factor: float) -> str:
    return "?" if value is None else digits(value * factor)


def _short(words: str, room: int) -> str:
    return words if len(words) <= room else words[: room - 1] + "…"
