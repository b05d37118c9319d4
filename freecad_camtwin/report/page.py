# SPDX-License-Identifier: LGPL-2.1-or-later
"""The report: one self-contained HTML file, verdict sentences first."""

import base64
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from freecad_camtwin import __version__
from freecad_camtwin.report import charts, path_view, style
from freecad_camtwin.report.coloring import by_load
from freecad_camtwin.report.rows import changes_of, operation_rows, unknown_sentences
from freecad_camtwin.twin.analysis.analysis import Analysis
from freecad_camtwin.twin.analysis.verdicts import operation_verdicts, verdict_sentences
from freecad_camtwin.twin.base.arrays import greatest
from freecad_camtwin.twin.base.words import LOAD_QUANTITIES, clock, digits
from freecad_camtwin.twin.feeds.plan import FeedPlan

#: Quantity → its heading and unit in the table.
_HEADS = {
    "power": {"name": "Power", "unit": "W"},
    "torque": {"name": "Torque", "unit": "N·m"},
    "force": {"name": "Force", "unit": "N"},
    "deflection": {"name": "Deflection", "unit": "µm"},
    "h_ex": {"name": "Chip h_ex", "unit": "µm"},
}


def report_html(analysis: Analysis, after: Analysis | None = None, plan: FeedPlan | None = None) -> str:
    """Return the report on one analysis, or on a job with the programmed feeds and with the planned feeds."""
    shown = after or analysis
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=False,
    )
    with style.styled():
        paths = _paths(analysis, after)
        chart = embedded(style.rendered(charts.strip_charts(analysis, after), "svg"), "svg")
    return environment.get_template("report.html").render(
        title=_title(analysis, after),
        version=__version__,
        facts=_facts(shown),
        cards=_cards(analysis, after),
        verdicts=[
            verdict for index in range(len(shown.job.operations)) for verdict in operation_verdicts(shown, index)
        ],
        changes=changes_of(plan) if plan is not None else None,
        paths=paths,
        charts=chart,
        charts_caption=_charts_caption(analysis, after),
        after=after is not None,
        heads=[_HEADS[name] for name in LOAD_QUANTITIES],
        operations=operation_rows(analysis, after),
        unknown=unknown_sentences(shown),
        supplied=shown.supplied,
        warnings=shown.warnings,
        hash=shown.source_hash[:16],
        cell=f"{shown.engagement.cell:.3g}",
    )


def report_png(analysis: Analysis, title: str | None = None) -> bytes:
    """Return the load-colored toolpath as a PNG."""
    with style.styled():
        words = title if title is not None else f"{analysis.job.label}: load along the toolpath"
        return style.rendered(path_view.path_figure(analysis, by_load(analysis), words), "png", dpi=140)


def embedded(content: bytes, kind: str) -> Markup:
    """Embed a picture: SVG as it is, PNG as data. Both are drawn by this package and contain no foreign markup."""
    if kind == "svg":
        text = content.decode()
        return Markup(text[text.index("<svg") :])
    return Markup('<img alt="" src="data:image/png;base64,{}">').format(base64.b64encode(content).decode())


def _paths(analysis: Analysis, after: Analysis | None) -> list[dict[str, Any]]:
    captions: tuple[str, ...] = (
        "The load of every step; where passes overlap, the greatest load is on top. Rapids are thin and gray.",
    )
    if after is not None:
        captions = ("As programmed.", "As planned, on the same scale.")
    shown = [analysis] if after is None else [analysis, after]
    scale = by_load(analysis)
    pictures = []
    for each, caption in zip(shown, captions, strict=True):
        coloring = by_load(each)
        if not coloring.limited:
            coloring = type(coloring)(coloring.values, coloring.label, scale.scale, limited=False)
        image = embedded(style.rendered(path_view.path_figure(each, coloring), "png", dpi=130), "png")
        pictures.append({"image": image, "caption": caption})
    return pictures


def _title(analysis: Analysis, after: Analysis | None) -> str:
    name = Path(analysis.job.source).name
    what = "before and after" if after is not None else "load and time"
    return f"{analysis.job.label}: {what}" + (f" ({name})" if name and name != analysis.job.label else "")


def _facts(analysis: Analysis) -> list[str]:
    job, path = analysis.job, analysis.job.toolpath
    facts = [
        f"{path.moves:,} moves",
        f"{path.length[path.is_cutting].sum() / 1000:.2f} m cutting",
        f"{analysis.engagement.removed_volume / 1000:.2f} cm³ removed",
        f"material {analysis.material.name}" if analysis.material else "material unknown",
        f"machine {analysis.machine.name}" if analysis.machine else "no machine profile",
    ]
    if job.freecad_version:
        facts.append(f"read by FreeCAD {job.freecad_version}")
    return facts


def _cards(analysis: Analysis, after: Analysis | None) -> list[dict[str, Any]]:
    shown = after or analysis
    sentences = verdict_sentences(shown)
    contacts = len(shown.engagement.rapid_contacts)
    worst = greatest(shown.worst_ratio)
    return [
        {
            "name": "Time",
            "figure": _time_figure(shown),
            "before": _time_figure(analysis) if after else None,
            "sentence": sentences["time"],
            "bad": False,
        },
        {
            "name": "Load",
            "figure": _load_figure(shown),
            "before": _load_figure(analysis) if after else None,
            "sentence": sentences["load"],
            "bad": worst is not None and worst > 1.005,
        },
        {
            "name": "Tool",
            "figure": _tool_figure(shown),
            "before": _tool_figure(analysis) if after else None,
            "sentence": sentences["tool"],
            "bad": any((greatest(shown.ratios[name]) or 0.0) > 1.005 for name in ("deflection", "h_ex")),
        },
        {
            "name": "Safety",
            "figure": "no contact" if not contacts else f"{contacts} in rapid",
            "before": None,
            "sentence": sentences["safety"],
            "bad": contacts > 0,
        },
    ]


def _time_figure(analysis: Analysis) -> str:
    if analysis.schedule is not None:
        return clock(analysis.schedule.total)
    return f"≥ {clock(float(np.nansum(analysis.feed_duration[analysis.job.toolpath.is_cutting])))}"


def _load_figure(analysis: Analysis) -> str:
    worst, power = greatest(analysis.worst_ratio), greatest(analysis.load.power)
    if worst is not None:
        return f"{100 * worst:.0f} %"
    return f"{digits(power)} W" if power is not None else "unknown"


def _tool_figure(analysis: Analysis) -> str:
    bend, chip = greatest(analysis.load.deflection), greatest(analysis.load.h_ex)
    if bend is not None:
        return f"{digits(1000 * bend)} µm"
    return f"h_ex {digits(1000 * chip)} µm" if chip is not None else "unknown"


def _charts_caption(analysis: Analysis, after: Analysis | None) -> str:
    words = "Line: mean; band: least to greatest in each column. Stripes: operations."
    if after is not None:
        return f"{words} Both are drawn over path length, at the same place of the path."
    return (
        words
        if analysis.schedule is not None
        else f"{words} Over path length, because without a machine profile no time is known."
    )
