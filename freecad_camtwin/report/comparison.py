# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page on a run: measured values beside predicted values, in one self-contained HTML file."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from freecad_camtwin import __version__
from freecad_camtwin.report import comparison_charts, path_view, style
from freecad_camtwin.report.coloring import MEASURED, by_measured, by_ratio
from freecad_camtwin.report.page import embedded
from freecad_camtwin.report.rows import breakable
from freecad_camtwin.twin.base.words import clock, digits
from freecad_camtwin.twin.runs.along_path import Comparison
from freecad_camtwin.twin.runs.execution import Execution
from freecad_camtwin.twin.runs.figures import LoadFigures, OperationFigures, Quality

_SPENT = {
    "cutting": "cutting", "air": "feed in air", "rapid": "rapids", "stopped": "standing", "tool_change": "tool change",
    "elsewhere": "off the path", "gap": "no data",
}  # fmt: skip


def comparison_html(comparison: Comparison, others: tuple[Execution, ...] = ()) -> str:
    """Return the page. ``others``: further executions of the same run, listed in a table."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    execution = comparison.execution
    with style.styled():
        paths = [{"image": embedded(picture, "png"), "caption": caption} for picture, caption in _paths(comparison)]
        strips = embedded(style.rendered(comparison_charts.strips(comparison), "svg"), "svg")
        scatter = embedded(style.rendered(comparison_charts.scatter(comparison), "svg"), "svg")
    return environment.get_template("comparison.html").render(
        title=f"{execution.about.job}: measured against predicted",
        version=__version__,
        facts=_facts(execution),
        cards=_cards(comparison),
        sentences=sentences(comparison),
        paths=paths,
        strips=strips,
        scatter=scatter,
        load=_load_head(comparison),
        operations=[_row(comparison, figures) for figures in execution.operations if figures.length > 0],
        whole=_whole(comparison),
        spent=_spent(execution),
        quality=_quality(execution),
        others=[_other(each) for each in others],
        notes=execution.notes,
        simulated=execution.about.simulated,
        hash=execution.about.toolpath_hash[:16],
    )


def comparison_png(comparison: Comparison) -> bytes:
    """Return the toolpath as a PNG, colored by measured over predicted load, or by measured load if that is unknown."""
    with style.styled():
        coloring = by_ratio(comparison) if _has_ratio(comparison) else by_measured(comparison)
        title = f"{comparison.execution.about.job}: {coloring.label} along the toolpath"
        return style.rendered(path_view.path_figure(comparison, coloring, title), "png", dpi=140)


def sentences(comparison: Comparison) -> tuple[str, ...]:
    """Return the most important results of the run in sentences, the load of every operation first."""
    execution, load = comparison.execution, comparison.load
    statements = []
    for figures in execution.operations:
        of = figures.loads.get(load.name) if load is not None else None
        if load is None or of is None or of.ratio is None or of.ratio_low is None or of.ratio_high is None:
            continue
        statements.append(
            f"In '{figures.label}' the cut took {100 * of.ratio:.0f} % of the predicted {MEASURED[load.name]}; two "
            f"thirds of all seconds lie between {100 * of.ratio_low:.0f} and {100 * of.ratio_high:.0f} %."
        )
        if of.over_limit:
            statements.append(
                f"In '{figures.label}' the load was above the limit in {100 * of.over_limit:.1f} % of the cutting time."
            )
    unseen = [figures for figures in execution.operations if figures.length > 0 and figures.seen < 0.995]
    statements += [f"'{figures.label}' has data for {100 * figures.seen:.1f} % of its path." for figures in unseen]
    return tuple(statements)


def _paths(comparison: Comparison) -> list[tuple[bytes, str]]:
    shown = []
    if comparison.load is not None:
        caption = "The measured load of the cut. Gray: no data, or a rapid."
        shown.append((by_measured(comparison), caption))
    if _has_ratio(comparison):
        caption = "White: as predicted; vermilion: more was measured; blue: less. Gray: no data, or hardly any load."
        shown.append((by_ratio(comparison), caption))
    return [(style.rendered(path_view.path_figure(comparison, how), "png", dpi=130), caption) for how, caption in shown]


def _has_ratio(comparison: Comparison) -> bool:
    return bool((comparison.ratio > 0).any())


def _facts(execution: Execution) -> list[str]:
    about, quality = execution.about, execution.quality
    when = datetime.fromtimestamp(about.started, UTC)
    facts = [
        *(["simulated data: no machine ran"] if about.simulated else []),
        f"run {about.source}" + (f", part {about.part} of {about.parts}" if about.parts > 1 else ""),
        f"program {about.program}",
        f"machine {about.machine}" if about.machine else "machine not named",
        f"operator {about.operator}" if about.operator else "",
        f"started {when:%Y-%m-%d %H:%M:%S} UTC",
        f"{quality.samples:,} samples",
        f"material {about.material}" if about.material else "material unknown",
    ]
    return [fact for fact in facts if fact]


def _cards(comparison: Comparison) -> list[dict[str, Any]]:
    execution = comparison.execution
    figures, quality = execution.figures, execution.quality
    of = figures.loads.get(comparison.load.name) if comparison.load is not None else None
    ratio = of.ratio if of is not None else None
    return [
        {
            "name": "Time",
            "figure": clock(figures.cycle_time),
            "before": None,
            "sentence": _time_sentence(execution),
            "bad": False,
        },
        {
            "name": "Load",
            "figure": "unknown" if ratio is None else f"{100 * ratio:.0f} % of predicted",
            "before": None,
            "sentence": _load_sentence(of, comparison),
            "bad": False,
        },
        {
            "name": "Feed",
            "figure": "unknown" if figures.feed_reached is None else f"{100 * figures.feed_reached:.0f} % reached",
            "before": None,
            "sentence": _override(execution),
            "bad": False,
        },
        {
            "name": "Data",
            "figure": f"{100 * quality.seen:.1f} % seen",
            "before": None,
            "sentence": f"Placed by {quality.method}; {_gaps(quality)}; "
            f"a sample every {1000 * quality.interval:.3g} ms.",
            "bad": quality.seen < 0.9,
        },
    ]


def _time_sentence(execution: Execution) -> str:
    figures = execution.figures
    if not figures.predicted_time:
        return "There is no prediction of the time."
    seen = "" if figures.cycle_time - figures.seen_time < 0.05 else f"{clock(figures.seen_time)} of it have data. "
    more = _more(figures.seen_time / figures.predicted_time)
    return f"{seen}The prediction was {clock(figures.predicted_time)}; the run took {more}."


def _gaps(quality: Quality) -> str:
    if not quality.gaps:
        return "no gap"
    return f"{quality.gaps} {'gap' if quality.gaps == 1 else 'gaps'}, {clock(quality.gap_time)} in all"


def _more(share: float) -> str:
    if abs(share - 1) < 0.0005:
        return "the same"
    return f"{abs(100 * share - 100):.1f} % {'more' if share > 1 else 'less'}"


def _load_sentence(of: LoadFigures | None, comparison: Comparison) -> str:
    if of is None or of.mean is None or comparison.load is None:
        return "The run contains no load of the cut."
    name = MEASURED[comparison.load.name]
    if of.predicted is None:
        return f"The cut took {digits(of.mean)} {of.unit} of {name} in the mean; there is no prediction for it."
    return f"Mean {name} of the cut: {digits(of.mean)} {of.unit} measured, {digits(of.predicted)} {of.unit} predicted."


def _override(execution: Execution) -> str:
    figures = execution.figures
    if figures.feed_override is None or figures.feed_override_low is None or figures.feed_override_high is None:
        return "Share of the programmed feed, in feed moves; the override is unknown."
    low, high = figures.feed_override_low, figures.feed_override_high
    if high - low < 0.5:
        return f"Share of the programmed feed, in feed moves; the override was {low:.0f} %."
    return f"Share of the programmed feed, in feed moves; the override was {low:.0f} to {high:.0f} %."


def _load_head(comparison: Comparison) -> dict[str, str]:
    if comparison.load is None:
        return {"name": "Load", "unit": ""}
    name = MEASURED[comparison.load.name]
    return {"name": name[0].upper() + name[1:], "unit": comparison.load.unit}


def _row(comparison: Comparison, figures: OperationFigures) -> dict[str, Any]:
    of = figures.loads.get(comparison.load.name) if comparison.load is not None else None
    spread = None
    if of is not None and of.ratio_low is not None and of.ratio_high is not None:
        spread = f"{100 * of.ratio_low:.0f} … {100 * of.ratio_high:.0f}"
    return {
        "label": breakable(figures.label),
        "seen": f"{100 * figures.seen:.1f}",
        "time": clock(figures.seen_time),
        "predicted_time": clock(figures.predicted_time or 0.0),
        "stood": clock(figures.stood),
        "feed": _share(figures.feed_reached),
        "mean": _number(of.mean if of else None),
        "predicted": _number(of.predicted if of else None),
        "p95": _number(of.p95 if of else None),
        "ratio": _share(of.ratio if of else None),
        "spread": spread,
        "idle": _number(of.idle if of else None),
        "limit": _number(of.limit) if of is not None and of.limit is not None else None,
        "over": _share(of.over_limit) if of is not None and of.over_limit is not None else None,
        "bad": of is not None and bool(of.over_limit),
    }


def _whole(comparison: Comparison) -> dict[str, str | None]:
    """Return the energy of the spindle and the removed volume of the whole run."""
    figures = comparison.execution.figures
    return {
        "energy": None if figures.energy is None else f"{figures.energy / 3600:.3g} Wh",
        "cutting": None if figures.cutting_energy is None else f"{figures.cutting_energy / 3600:.3g} Wh",
        "removed": f"{figures.removed / 1000:.3g} cm³",
        "q": None if figures.q is None else f"{60 * figures.q / 1000:.3g} cm³/min",
    }


def _share(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.0f}"


def _number(value: float | None) -> str | None:
    return None if value is None else digits(value)


def _spent(execution: Execution) -> list[dict[str, Any]]:
    whole = execution.figures.cycle_time or 1.0
    return [
        {"name": _SPENT[name], "time": clock(seconds), "share": f"{100 * seconds / whole:.1f}", "kind": name}
        for name, seconds in execution.figures.breakdown.items()
        if seconds > 0
    ]


def _quality(execution: Execution) -> list[tuple[str, str]]:
    quality = execution.quality
    dropped = ", ".join(f"{number:,} {reason}" for reason, number in quality.dropped.items() if number)
    rows = [
        ("placed by", quality.method),
        ("samples with a place", f"{100 * quality.placed:.1f} %"),
        ("mean confidence", f"{quality.confidence:.2f}"),
        ("nearer to the path than", "" if quality.off_path is None else f"{quality.off_path:.3f} mm (95 % of them)"),
        ("lag corrected", f"{1000 * quality.lag:.1f} ms"),
        ("delay corrected", f"{1000 * quality.delay:.1f} ms"),
        ("bias corrected", ", ".join(f"{1000 * value:.0f}" for value in quality.bias) + " µm"),
        ("rows received", "" if quality.received is None else f"{quality.received:,}"),
        ("rows dropped", dropped or ("none" if quality.received is not None else "")),
        ("moves without data", f"{execution.unseen_moves:,} of {len(execution.moves['time']):,}"),
    ]
    return [(name, value) for name, value in rows if value]


def _other(execution: Execution) -> dict[str, str | None]:
    load = execution.load
    return {
        "part": f"{execution.about.part}",
        "started": f"{datetime.fromtimestamp(execution.about.started, UTC):%Y-%m-%d %H:%M:%S}",
        "time": clock(execution.figures.cycle_time),
        "seen": f"{100 * execution.quality.seen:.1f}",
        "ratio": _share(execution.figures.loads[load].ratio) if load is not None else None,
    }
