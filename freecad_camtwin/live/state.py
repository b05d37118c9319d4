# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps the state of a machine (``twin.signals.state``) up to date while its data arrive."""

import math
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from freecad_camtwin.connectors.protocol import Told
from freecad_camtwin.live.flow import Block, Flow
from freecad_camtwin.twin.signals.columns import Columns
from freecad_camtwin.twin.signals.state import State

if TYPE_CHECKING:  # it loads the simulation: one second, which a recording without a package does not need
    from freecad_camtwin.twin.package.package import Package

#: Time over which the rate of rows is averaged [s].
RATE_S = 2.0
_NUMBERS = (
    "x", "y", "z", "feed", "n_rpm", "power", "spindle_load", "current", "torque", "predicted_power", "confidence",
    "feed_override", "rapid_override", "spindle_override",
)  # fmt: skip
_INDICES = ("operation", "move", "line", "tool")
#: A number above this is not an index.
_MOST = 2**31


class Keeper:
    """Keeps the state of a flow up to date."""

    def __init__(self, flow: Flow, package: "Package | None" = None) -> None:
        self.state = State()
        self._flow = flow
        self._labels = [operation.label for operation in package.job.operations] if package else []
        self._length = float(package.lines.program.length.sum()) if package else 0.0
        self._counted: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def take(self, block: Block) -> State:
        """Update the state with a block, and return it."""
        state, columns = self.state, block.columns
        for gap in block.gaps:
            state.gaps += gap.stop is None
            state.lost = gap.reason if gap.stop is None else None
        for word in columns.words:
            if word.column in ("execution", "program", "mode"):
                setattr(state, word.column, word.value)
        if columns.rows:
            self._rows(columns)
        state.dropped = {reason: number for reason, number in dropped(self._flow).items() if reason != "unmapped"}
        told: Told = self._flow.connector.told
        state.received, state.simulated = told.received, told.simulated
        self._count(columns.rows)
        return state

    def _rows(self, columns: Columns) -> None:
        state = self.state
        state.time = float(columns.time[-1])
        state.rows += columns.rows
        if self._labels:
            state.unplaced += int(np.isnan(columns.column("way")).sum())
        for name in _NUMBERS:
            setattr(state, name, _last(columns.values, name))
        for name in _INDICES:
            value = _last(columns.values, name)
            setattr(state, name, None if value is None or abs(value) > _MOST else int(value))
        has_label = state.operation is not None and 0 <= state.operation < len(self._labels)
        state.label = self._labels[state.operation] if has_label and state.operation is not None else None
        arc_length = _last(columns.values, "way")
        state.progress = arc_length / self._length if arc_length is not None and self._length > 0 else None

    def _count(self, rows: int) -> None:
        now = time.monotonic()
        self._counted.append((now, rows))
        while len(self._counted) > 2 and now - self._counted[0][0] > RATE_S:
            self._counted.popleft()
        since = now - self._counted[0][0]
        counted = sum(number for _, number in self._counted) - self._counted[0][1]
        self.state.rate = counted / since if since > 0 else 0.0


def dropped(flow: Flow) -> dict[str, int]:
    """Return the number of values not kept, by reason; "unmapped" counts items that the signal map does not name."""
    counters = {reason: number for reason, number in flow.translator.counters.items() if number}
    counters.pop("clock set back", None)  # these rows were kept
    return {**flow.connector.told.dropped, **counters}


def _last(values: Mapping[str, np.ndarray], name: str) -> float | None:
    column = values.get(name)
    if column is None or not math.isfinite(column[-1]):
        return None
    return float(column[-1])
