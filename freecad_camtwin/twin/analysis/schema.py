# SPDX-License-Identifier: LGPL-2.1-or-later
"""An analysis as text and arrays for other programs: the schema ``camtwin.analysis/1``, described in docs/cli.md.

Unknown is null in the JSON and NaN in the arrays. The same input gives the same bytes.
"""

import json
from dataclasses import fields
from typing import Any

import numpy as np

from freecad_camtwin.twin.analysis.figures import Figures
from freecad_camtwin.twin.analysis.verdicts import operation_verdicts, verdict_sentences
from freecad_camtwin.twin.base.arrays import Floats, greatest
from freecad_camtwin.twin.base.words import LOAD_QUANTITIES
from freecad_camtwin.twin.job.job import Limits

ANALYSIS_SCHEMA = "camtwin.analysis/1"


def to_json(analysis: Figures, *, path: str = "", sha256: str | None = None) -> str:
    """Write the analysis as JSON text; ``path`` and ``sha256`` name the input file."""
    return json.dumps(to_dict(analysis, path=path, sha256=sha256), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_dict(analysis: Figures, *, path: str = "", sha256: str | None = None) -> dict[str, Any]:
    """Return the analysis as plain dicts and lists, in the schema's order."""
    job, toolpath, engagement = analysis.job, analysis.job.toolpath, analysis.engagement
    cutting = toolpath.is_cutting
    return {
        "schema": ANALYSIS_SCHEMA,
        "input": {"path": path or job.source, "sha256": sha256, "freecad_version": job.freecad_version},
        "job": job.label,
        "toolpath": {
            "hash": analysis.source_hash,
            "moves": toolpath.moves,
            "cutting_length": _number(toolpath.length[cutting].sum()),
            "rapid_length": _number(toolpath.length[~cutting].sum()),
        },
        "material": None if analysis.material is None else analysis.material.key,
        "machine": None if analysis.machine is None else analysis.machine.name,
        "time": None if analysis.schedule is None else _number(analysis.schedule.total),
        "stock_volume": _number(engagement.stock_volume),
        "cell": _number(engagement.cell),
        "removed_volume": _number(engagement.removed_volume),
        "tools": [_tool(tool) for tool in job.tools],
        "operations": [operation(analysis, index) for index in range(len(job.operations))],
        "verdicts": list(verdict_sentences(analysis).values()),
        "supplied": list(analysis.supplied),
        "warnings": list(analysis.warnings),
    }


def operation(analysis: Figures, index: int) -> dict[str, Any]:
    """Return the object of one operation."""
    job, toolpath = analysis.job, analysis.job.toolpath
    own = job.operations[index]
    moves = toolpath.operation == index
    feed_moves = moves & toolpath.is_cutting
    steps = analysis.operation == index
    worst = [peak(ratio[steps]) for ratio in analysis.ratios.values()]
    return {
        "label": own.label,
        "type": own.type,
        "tool": job.tools[own.tool].name if own.tool >= 0 else None,
        "moves": int(moves.sum()),
        "cutting_length": _number(toolpath.length[feed_moves].sum()),
        "removed_volume": _number(analysis.engagement.volume[steps].sum()),
        "time": None if analysis.schedule is None else _number(analysis.duration[moves].sum()),
        "time_at_feed": _number(analysis.feed_duration[feed_moves].sum()),
        "peak": {name: peak(getattr(analysis.load, name)[steps]) for name in LOAD_QUANTITIES},
        "limits": {item.name: getattr(analysis.limits[index], item.name) for item in fields(Limits)},
        "limit_sources": dict(sorted(analysis.limits[index].sources.items())),
        "worst_ratio": max((value for value in worst if value is not None), default=None),
        "verdicts": list(operation_verdicts(analysis, index)),
        "unknown": list(analysis.unknown[index]),
    }


def steps(analysis: Figures) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of ``--steps``, one row per step: times [s] and coordinates [mm] are those of its end."""
    engagement, load = analysis.engagement, analysis.load
    x, y, z = engagement.end.T
    return {
        "move": np.asarray(engagement.move, np.int32),
        "operation": np.asarray(analysis.operation, np.int32),
        "time": analysis.step_time,
        "x": np.ascontiguousarray(x),
        "y": np.ascontiguousarray(y),
        "z": np.ascontiguousarray(z),
        **{name: getattr(load, name) for name in ("feed", "q")},
        **{name: getattr(engagement, name) for name in ("ap", "ae", "phi_st", "phi_ex")},
        **{name: getattr(load, name) for name in ("h_ex", "power", "torque", "force", "deflection")},
    }


def peak(values: Floats) -> float | None:
    """The greatest known value, or None."""
    maximum = greatest(values)
    return None if maximum is None else _number(maximum)


def _number(value: Any) -> float | None:
    number = float(value)
    return round(number, 9) if np.isfinite(number) else None


def _tool(tool: Any) -> dict[str, Any]:
    return {
        "number": tool.number,
        "label": tool.label,
        "shape": tool.shape.value if tool.shape is not None else None,
        "shape_name": tool.shape_name,
        "dc": tool.dc,
        "zefp": tool.zefp,
        "re": tool.re,
        "apmx": tool.apmx,
    }
