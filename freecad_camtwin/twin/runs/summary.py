# SPDX-License-Identifier: LGPL-2.1-or-later
"""The summary of an execution that its document object shows. Plain values, fit for JSON."""

from datetime import UTC, datetime
from typing import Any

from freecad_camtwin.twin.base.words import clock, digits
from freecad_camtwin.twin.runs.execution import Execution
from freecad_camtwin.twin.runs.figures import OperationFigures


def execution_properties(execution: Execution) -> dict[str, Any]:
    """Return the properties of an execution's object by name, except the location of its files."""
    about = execution.about
    when = datetime.fromtimestamp(about.started, UTC)
    part = f", part {about.part} of {about.parts}" if about.parts > 1 else ""
    return {
        "Label": f"Run {when:%Y-%m-%d %H:%M:%S}" + (" (simulated)" if about.simulated else ""),
        "RunName": about.run or "",
        "Source": about.source + part,
        "Started": f"{when:%Y-%m-%dT%H:%M:%S}Z",
        "Machine": about.machine or "",
        "Operator": about.operator or "",
        "Program": about.program,
        "Simulated": about.simulated,
        "KPI": kpis(execution),
        "Operations": {
            f"{number} {figures.label}": _operation(figures, execution.load)
            for number, figures in enumerate(execution.operations, 1)
            if figures.length > 0
        },
        "Notes": " ".join(execution.notes),
        "ToolpathHash": about.toolpath_hash,
        "PathHashes": {each.name: each.path_hash for each in about.operations if each.name and each.path_hash},
    }


def kpis(execution: Execution) -> dict[str, str]:
    """Return figures by name with unit; unknown figures are left out."""
    figures, quality = execution.figures, execution.quality
    values: dict[str, float | None] = {
        "cycle time [s]": figures.cycle_time,
        "predicted time of what was seen [s]": figures.predicted_time,
        **{f"{name.replace('_', ' ')} [s]": seconds for name, seconds in figures.breakdown.items()},
        "feed override [%]": figures.feed_override,
        "feed reached [%]": None if figures.feed_reached is None else 100 * figures.feed_reached,
        "energy [Wh]": None if figures.energy is None else figures.energy / 3600,
        "energy of the cut [Wh]": None if figures.cutting_energy is None else figures.cutting_energy / 3600,
        "removed [mm³]": figures.removed,
        "mean removal rate [mm³/s]": figures.q,
        "seen [%]": 100 * quality.seen,
        "lag [ms]": 1000 * quality.lag,
        "gaps [1]": float(quality.gaps),
    }
    for name, load in figures.loads.items():
        values[f"mean {name.replace('_', ' ')} of the cut [{load.unit}]"] = load.mean
        values[f"{name.replace('_', ' ')} over predicted [%]"] = None if load.ratio is None else 100 * load.ratio
    return {name: f"{value:.6g}" for name, value in values.items() if value is not None}


def _operation(figures: OperationFigures, name: str | None) -> str:
    if figures.seen <= 0:
        return "not seen"
    words = [
        f"{clock(figures.seen_time)} of {clock(figures.predicted_time or 0.0)} predicted",
        f"{100 * figures.seen:.1f} % seen",
    ]
    load = figures.loads.get(name) if name is not None else None
    if load is not None and name is not None and load.mean is not None:
        words.append(f"{name.replace('_', ' ')} {digits(load.mean)} {load.unit}")
        if load.ratio is not None:
            words.append(f"{100 * load.ratio:.0f} % of predicted")
    return ", ".join(words)
