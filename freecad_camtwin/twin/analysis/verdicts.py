# SPDX-License-Identifier: LGPL-2.1-or-later
"""Verdict sentences: an analysis in words, the summary first.

Every number in a sentence comes from the arrays. If a value is unknown, the sentence states that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from freecad_camtwin.twin.analysis.figures import Figures
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.words import LOAD_QUANTITIES, clock


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighboring steps of one operation that exceed one limit."""

    quantity: str
    operation: int
    first: int  #: move index
    last: int  #: move index
    ratio: float  #: the greatest load over limit


def verdict_sentences(analysis: Figures) -> dict[str, str]:
    """The four verdicts: time, load, tool, safety; one sentence each."""
    return {
        "time": _time(analysis),
        "load": _load(analysis),
        "tool": _tool(analysis),
        "safety": _safety(analysis),
    }


def all_verdicts(analysis: Figures) -> tuple[str, ...]:
    """The four verdicts, then one sentence per limit that an operation exceeds."""
    operations = range(len(analysis.job.operations))
    exceeded = [sentence for index in operations for sentence in operation_verdicts(analysis, index)]
    return (*verdict_sentences(analysis).values(), *exceeded)


def operation_verdicts(analysis: Figures, operation: int) -> tuple[str, ...]:
    """One sentence per limit that an operation exceeds, the worst first."""
    sentences = []
    for stretches in _by_quantity(analysis, operation):
        worst = max(stretches, key=lambda stretch: stretch.ratio)
        label, name = analysis.job.operations[operation].label, LOAD_QUANTITIES[worst.quantity][1]
        more = len(stretches) - 1
        where = name_of_moves(analysis, worst.first, worst.last)
        reach = _plural(worst.last - worst.first + 1, "reaches", "reach")
        others = f", and {more} other {_plural(more, 'stretch', 'stretches')} above it" if more else ""
        sentences.append(
            (
                worst.ratio,
                f"In '{label}' {where} {reach} {_percent(worst.ratio)} of {name}; limit 100 %{others}.",
            )
        )
    worst_first = [sentence for _, sentence in sorted(sentences, key=lambda pair: -pair[0])]
    return (*worst_first, *_rubbing(analysis, operation))


def _rubbing(analysis: Figures, operation: int) -> tuple[str, ...]:
    """A sentence if chips are thinner than the stated minimum chip thickness, so that the edge rubs."""
    least = analysis.limits[operation].h_ex_min
    steps = (analysis.operation == operation) & (analysis.engagement.volume > 0) & np.isfinite(analysis.load.h_ex)
    if least is None or not steps.any():
        return ()
    length = analysis.engagement.length[steps]
    share = float(length[analysis.load.h_ex[steps] < least].sum() / length.sum())
    if share < 0.005:
        return ()
    label = analysis.job.operations[operation].label
    return (f"In '{label}' {_percent(share)} of the cut has chips thinner than {least:.3g} mm: there the edge rubs.",)


def exceeding(analysis: Figures, quantity: str, operation: int) -> list[Stretch]:
    """Stretches of an operation that exceed the limit of one quantity, in path order."""
    steps = np.flatnonzero(analysis.operation == operation)
    ratio = analysis.ratios[quantity][steps]
    over = np.concatenate([[False], ratio > 1 + 1e-9, [False]])
    edges = np.flatnonzero(over[1:] != over[:-1])
    move = analysis.engagement.move[steps]
    return [
        Stretch(quantity, operation, int(move[start]), int(move[stop - 1]), float(ratio[start:stop].max()))
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    ]


def name_of_moves(analysis: Figures, first: int, last: int) -> str:
    """Name consecutive moves by their program lines, or by their index in the toolpath if they have no lines."""
    lines = analysis.job.toolpath.line
    word, low, high = "move", first, last
    if lines[first] >= 0 and lines[last] >= 0:
        word, low, high = "line", int(lines[first]), int(lines[last])
    return f"{word} {low}" if low == high else f"{word}s {low}–{high}"


def _by_quantity(analysis: Figures, operation: int) -> Iterator[list[Stretch]]:
    for quantity in LOAD_QUANTITIES:
        stretches = exceeding(analysis, quantity, operation)
        if stretches:
            yield stretches


def _time(analysis: Figures) -> str:
    at_feed = analysis.feed_duration[analysis.job.toolpath.is_cutting]
    unknown = int(np.isnan(at_feed).sum())
    if unknown == len(at_feed):
        words = "length over feed is unknown, as no move has a feed"
    else:
        words = f"length over feed gives {clock(float(np.nansum(at_feed)))} for the feed moves alone"
    if 0 < unknown < len(at_feed):
        words += f", without {unknown} {_plural(unknown, 'move that has', 'moves that have')} no feed"
    if analysis.schedule is None or analysis.machine is None:
        return f"{words[0].upper()}{words[1:]}; choose a machine profile to predict the controller's time."
    return f"The job takes {clock(analysis.schedule.total)} on '{analysis.machine.name}'; {words}."


def _load(analysis: Figures) -> str:
    worst = _peak(analysis.worst_ratio)
    if worst is not None:
        step = worst
        quantity = max(analysis.ratios, key=lambda name: np.nan_to_num(analysis.ratios[name][step], nan=-1.0))
        return (
            f"The hardest step reaches {_percent(analysis.worst_ratio[step])} of its limit "
            f"({LOAD_QUANTITIES[quantity][1]}, {_where(analysis, step)})."
        )
    hardest = _peak(analysis.load.power)
    if hardest is not None:
        return (
            f"The hardest step draws {analysis.load.power[hardest]:.3g} W at the tool ({_where(analysis, hardest)}); "
            "no limit is known."
        )
    return f"The load is unknown: supply {_listed(unknown_words(analysis))}."


def _tool(analysis: Figures) -> str:
    parts = []
    bend, chip = _peak(analysis.load.deflection), _peak(analysis.load.h_ex)
    if bend is not None:
        parts.append(f"the tool bends by {analysis.load.deflection[bend]:.3g} mm at most ({_where(analysis, bend)})")
    if chip is not None:
        parts.append(f"the thickest chip is {analysis.load.h_ex[chip]:.3g} mm ({_where(analysis, chip)})")
    if not parts:
        return f"Chip thickness and tool deflection are unknown: supply {_listed(unknown_words(analysis))}."
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _safety(analysis: Figures) -> str:
    contacts = analysis.engagement.rapid_contacts
    if not contacts:
        return "No rapid move touches the simulated stock."
    move, volume = max(contacts, key=lambda contact: contact[1])
    return (
        f"{len(contacts)} rapid {_plural(len(contacts), 'move cuts', 'moves cut')} into material; the worst, "
        f"{name_of_moves(analysis, int(move), int(move))}, through {volume:.3g} mm³. Check the clearance heights."
    )


def unknown_words(analysis: Figures) -> tuple[str, ...]:
    """The missing data of all operations, each word once, in order of first occurrence."""
    return tuple(dict.fromkeys(word for words in analysis.unknown for word in words))


def _where(analysis: Figures, step: int) -> str:
    move, operation = int(analysis.engagement.move[step]), int(analysis.operation[step])
    label = f"'{analysis.job.operations[operation].label}' " if operation >= 0 else ""
    return f"{label}{name_of_moves(analysis, move, move)}"


def _peak(values: Floats) -> int | None:
    return int(np.nanargmax(values)) if np.isfinite(values).any() else None


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.0f} %"


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
