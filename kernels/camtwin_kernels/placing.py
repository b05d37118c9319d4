# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the reported line allows, and what is known of a place: look-ups along a run, sample by sample.

Lines come as a controller reports them: the line that is being executed, of which some are never seen, because
the control joins short moves (LinuxCNC's naive-CAM merge reports the last line of a merged stretch) or because
the samples are sparse. So a new line L means: somewhere after the moves of the last one, up to those of L.

A run goes mostly forward, so each look-up begins where the last one ended and looks at the next row before it
searches them all.
"""

import math
from typing import Any

from camtwin_kernels.jit import lean_kernel, lean_part

#: Columns of the program's moves: way before it, way after it [mm], where it begins along the document's move [mm],
#: and how far it comes in that per its own way.
BEFORE, AFTER, BEGIN, GAIN = 0, 1, 2, 3


@lean_part
def next_move(rows: Any, moves: Any, number: int, after: int) -> int:
    """Return a line's first move after move ``after``; -1 where all of them lie behind."""
    low, end = rows[number], rows[number + 1]
    high = end
    while low < high:
        middle = (low + high) // 2
        if moves[middle] > after:
            high = middle
        else:
            low = middle + 1
    return moves[low] if low < end else -1


@lean_kernel
def follow_lines(
    line: Any,
    rows: Any,
    moves: Any,
    of_move: Any,
    way: Any,
    late: float,
    merged: int,
    state: Any,
    by_line: Any,
    span: Any,
) -> int:
    """Fill what every sample's line allows; return in how many samples it allows something.

    line: (n,) reported lines, NaN unknown; rows: (lines + 1,) where each line's moves begin in ``moves``, which
    are in rising order; of_move: (m,) line of every move; way: (m + 1,) before every move [mm]; late: by which a
    position may be off the line [mm]; merged: so many moves may have been joined to one line
    state: (3,) first move, last move and line at the end of the call before, -1 at the start
    by_line: (n, 2) first and last move, -1 where the line says nothing; span: (n, 2) least and greatest way [mm]
    """
    count = 0
    for i in range(line.size):
        by_line[i, 0], by_line[i, 1], span[i, 0], span[i, 1] = -1, -1, 0.0, way[way.size - 1]
        if math.isnan(line[i]):
            state[2] = -1
            continue
        number = int(line[i]) if 0.0 <= line[i] < rows.size - 1 else -1
        # A line without moves (a tool change, a comment) tells nothing new.
        if number >= 0 and number != state[2] and rows[number] < rows[number + 1]:
            move = next_move(rows, moves, number, state[1])
            is_next = move >= 0 and state[2] >= 0 and move - state[1] - 1 <= merged
            if move < 0:  # all of it lies behind: the program was begun again, or jumped back
                move = moves[rows[number]]
            state[0] = state[1] + 1 if is_next else move
            while move + 1 < of_move.size and of_move[move + 1] == number:
                move += 1
            state[1], state[2] = move, number
        if state[0] >= 0:
            by_line[i, 0], by_line[i, 1] = state[0], state[1]
            span[i, 0], span[i, 1] = way[state[0]] - late, way[state[1] + 1] + late
            count += 1
    return count


@lean_part
def row_at(table: Any, column: int, low: int, high: int, at: float) -> int:
    """Return the last row in [low, high) whose rising ``column`` is ``at`` or less; ``low`` if there is none."""
    while high - low > 1:
        middle = (low + high) // 2
        if table[middle, column] <= at:
            low = middle
        else:
            high = middle
    return low


@lean_part
def next_row(table: Any, column: int, low: int, high: int, row: int, at: float) -> int:
    """Return what ``row_at`` does, looking first at ``row`` and the one after it."""
    if low <= row < high and table[row, column] <= at:
        if row + 1 == high or table[row + 1, column] > at:
            return row
        if row + 2 == high or (row + 2 < high and table[row + 2, column] > at):
            return row + 1
    return row_at(table, column, low, high, at)


@lean_part
def surety(off: float, executed: int, by_line: Any, i: int, near: float) -> float:
    """Return 0 … 1: near the path, and where the line says."""
    first, last = -1, -1
    if i < by_line.shape[0]:
        first, last = by_line[i, 0], by_line[i, 1]
    if math.isnan(off):  # only the line tells
        return 1.0 / (last - first + 1) if first >= 0 else 1.0
    sure = math.exp(-0.5 * (off / near) ** 2)
    if first >= 0 and not first - 1 <= executed <= last + 1:
        sure *= 0.5
    return sure


@lean_kernel
def place(
    way: Any,
    distance: Any,
    by_line: Any,
    program: Any,
    moves: Any,
    steps: Any,
    rows: Any,
    near: float,
    found: Any,
    confidence: Any,
) -> None:
    """Look up what is known of every way.

    way: (n,) [mm], NaN unknown; distance: (n,) from the path [mm], NaN unknown; by_line: (n, 2) first and last move
    that the line allows, -1 unknown, or (0, 2); program: (m, 4) see ``BEFORE``
    moves: (m, 2) move and operation of the document
    steps: (k, 2) begin and end in its move [mm]; rows: (moves of the document + 1,) where each one's steps begin
    found: (4, n) executed, move, operation, step; -1 unknown; confidence: (n,)
    """
    executed, step = 0, 0
    for i in range(way.size):
        if math.isnan(way[i]):
            found[0, i], found[1, i], found[2, i], found[3, i], confidence[i] = -1, -1, -1, -1, 0.0
            continue
        executed = next_row(program, BEFORE, 0, program.shape[0], executed, way[i])
        move = moves[executed, 0]
        found[0, i], found[1, i], found[2, i], found[3, i] = executed, move, moves[executed, 1], -1
        confidence[i] = surety(distance[i], executed, by_line, i, near)
        if move >= 0 and rows[move] < rows[move + 1]:
            along = min(way[i], program[executed, AFTER]) - program[executed, BEFORE]
            at = program[executed, BEGIN] + along * program[executed, GAIN]
            step = next_row(steps, 0, rows[move], rows[move + 1], step, at + 1e-6)
            if steps[step, 0] - 1e-6 <= at <= steps[step, 1] + 1e-6:
                found[3, i] = step


@lean_kernel
def spread(
    time: Any, known: Any, way: Any, distance: Any, delay: float, silence: float, standing: float, jump: float, out: Any
) -> None:
    """Fill ``out`` (2, n) with way and distance of every row, between those that were matched.

    time: (n,) of all rows [s]; known, way, distance: (k,) time [s], way and distance of the matched ones
    delay: positions tell of so long ago [s]. Between two of them the way rises evenly, but not over a silence [s], nor
    a jump [mm]; beside a silence they hold for ``standing`` seconds.
    """
    j, last = 0, known.size - 1
    for i in range(time.size):
        at = time[i] + delay
        while j < last and known[j + 1] <= at:
            j += 1
        out[0, i], out[1, i] = math.nan, math.nan
        since = at - known[j]
        gap = known[j + 1] - known[j] if j < last else math.inf
        if gap > silence and not abs(since) <= standing + abs(delay):
            continue
        out[0, i], out[1, i] = way[j], distance[j]
        if gap <= silence and since > 0.0:
            rise = way[j + 1] - way[j]
            if 0.0 <= rise <= jump:
                out[0, i] = way[j] + rise * since / gap
