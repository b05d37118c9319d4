# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows of the report's tables: numbers of an analysis, rounded for reading."""

from collections import defaultdict
from typing import Any

import numpy as np
from markupsafe import Markup

from freecad_camtwin.twin.analysis import schema
from freecad_camtwin.twin.analysis.analysis import Analysis
from freecad_camtwin.twin.base.words import LOAD_QUANTITIES, clock, digits
from freecad_camtwin.twin.feeds.plan import Change, FeedPlan

#: Quantity → factor to the unit of the table.
_SCALE = {"power": 1.0, "torque": 1e-3, "force": 1.0, "deflection": 1e3, "h_ex": 1e3}


def operation_rows(analysis: Analysis, after: Analysis | None) -> list[dict[str, Any]]:
    """Return one row per operation: of the planned feeds if there are any, with the programmed time beside."""
    shown = after or analysis
    return [_row(shown, analysis if after is not None else None, index) for index in range(len(shown.job.operations))]


def _row(shown: Analysis, before: Analysis | None, index: int) -> dict[str, Any]:
    entry = schema.operation(shown, index)
    ratio = entry["worst_ratio"]
    return {
        "label": breakable(entry["label"]),
        "type": entry["type"],
        "tool": breakable(entry["tool"] or "none"),
        "cutting": f"{entry['cutting_length'] / 1000:.2f}",
        "removed": f"{entry['removed_volume']:,.0f}",
        "time": _time(shown, index),
        "time_before": _time(before, index) if before is not None else None,
        "peaks": [_peak(entry, name) for name in LOAD_QUANTITIES],
        "ratio": None if ratio is None else f"{100 * ratio:.0f}",
        "over": ratio is not None and ratio > 1.005,
        "width": 0 if ratio is None else round(100 * min(ratio, 1.0)),
    }


def breakable(name: str) -> Markup:
    """Allow a line break after each underscore of a name."""
    return Markup("_<wbr>").join(name.split("_"))


def _peak(entry: dict[str, Any], name: str) -> dict[str, Any]:
    value, limit = entry["peak"][name], entry["limits"][LOAD_QUANTITIES[name][0]]
    return {
        "text": "unknown" if value is None else digits(value * _SCALE[name]),
        "unknown": value is None,
        "limit": None if limit is None else digits(limit * _SCALE[name]),
    }


def _time(analysis: Analysis, index: int) -> str:
    path = analysis.job.toolpath
    if analysis.schedule is not None:
        return clock(float(analysis.duration[path.operation == index].sum()))
    seconds = analysis.feed_duration[(path.operation == index) & path.is_cutting]
    return ("≥ " if np.isnan(seconds).any() else "") + clock(float(np.nansum(seconds)))


def unknown_sentences(analysis: Analysis) -> list[str]:
    """Return one sentence per unknown value, with the operations that lack it."""
    lacking: dict[str, list[str]] = defaultdict(list)
    for operation, words in zip(analysis.job.operations, analysis.unknown, strict=True):
        for word in words:
            lacking[word].append(f"'{operation.label}'")
    every = len(analysis.job.operations)
    return [
        f"The {word} is unknown in {'every operation' if len(labels) == every else ', '.join(labels)}."
        for word, labels in lacking.items()
    ]


def changes_of(plan: FeedPlan) -> dict[str, Any] | None:
    """Return the changes of a plan, by reason; None if it has none."""
    by_reason: dict[str, list[Change]] = defaultdict(list)
    for operation in plan.operations:
        for change in operation.changes:
            by_reason[change.reason].append(change)
    if not by_reason:
        return None
    rows = [
        {
            "reason": reason,
            "count": f"{len(changes):,}",
            "before": _span([change.feed_before for change in changes]),
            "after": _span([change.feed_after for change in changes]),
        }
        for reason, changes in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    count = sum(len(changes) for changes in by_reason.values())
    return {"sentence": f"{count:,} stretches of the path get another feed; only F words change.", "rows": rows}


def _span(feeds: list[float | None]) -> str:
    known = [60 * feed for feed in feeds if feed is not None]
    if not known:
        return "none given"
    low, high = min(known), max(known)
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} … {high:.0f}"
