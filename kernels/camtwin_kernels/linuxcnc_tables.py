# SPDX-License-Identifier: LGPL-2.1-or-later
"""The columns of the tables that the LinuxCNC kernels hand on: moves → pieces → queue → legs."""

# Columns of a piece.
(
    FORM,  # 0 line, 1 arc
    CIRCLE,  # row of the arc in the table of circles
    RAPID,  # 1 for a rapid
    LENGTH,  # [mm]
    UX, UY, UZ,  # direction of a line
    WANTED,  # programmed speed, within what the axes can do [mm/s]
    BOUND,  # what the axes can do [mm/s]
    PULL,  # acceleration [mm/s²]
    TERM,  # how it should end: 0 stop, 1 exact path, 2 blend
    TOLERANCE,  # P of G64 [mm]
    FROM, TO,  # what it covers of the programmed path [mm]
    FIRST, FINAL,  # its first and last move
    WAIT,  # seconds of rest before it; < 0: none, it follows at once
    HELD,  # 1 if the spindle has to be at speed first: no arc may swallow it
    PIECE_COLUMNS,
) = range(19)  # fmt: skip

# Columns of the table of circles, one row per arc.
(
    ARRIVING,  # 3: unit tangent at its start
    LEAVING,  # 3: unit tangent at its end
    SPOKE,  # 3: from the centre to its start [mm]
    LAST_SPOKE,  # 3: from the centre to its end, without the rise [mm]
    NORMAL,  # 3: unit vector about which it turns counter-clockwise
    MIDDLE,  # 3: the point half way [mm]
    ANGLE,  # [rad], > 0
    RADIUS,  # [mm]
    RISE,  # along the normal [mm]
    FLATNESS,  # how far the middle is off the chord [mm]; inf outside the XY plane
    CIRCLE_COLUMNS,
) = (0, 3, 6, 9, 12, 15, 18, 19, 20, 21, 22)

# Columns of the rules that hold for a move.
RULE_TERM, RULE_TOLERANCE, RULE_NAIVE, RULE_WAIT, RULE_FEED, RULE_HELD, RULE_COLUMNS = range(7)

SHAPE_RAPID, SHAPE_LINE = -2, -1  # an arc is the row of its circle

# State of the chain, in its last row: points in it after the first, the move and the way at which it began.
LINKED, OPENER, BEGUN = range(3)

#: A line shorter than this is no move [mm].
SHORTEST = 1e-8
#: LinuxCNC merges no more points than this into one line.
LONGEST_CHAIN = 101

# What a piece gains while it is joined; these columns follow those of a piece in the work table.
(
    NOMINAL,  # its length before corners took from it [mm]
    SHARE,  # of its acceleration that is left along an arc
    KINK,  # speed at which the kink at its end may be taken [mm/s]; < 0: there is none
    EASED,  # share of acceleration that the kink at its start takes
    EASED_LAST,  # the same of the kink at its end
    BLENDED,  # 1 if it begins with a parabola
    OPEN,  # 1 while the next piece may still shorten it
    SWEPT,  # angle of an arc that is left [rad]
    RISEN,  # rise of an arc that is left [mm]
    CORNER,  # cosine of half the angle at the parabola at its end
    WORK_COLUMNS,
) = range(PIECE_COLUMNS, PIECE_COLUMNS + 11)

# Columns of the finished queue.
(
    Q_LENGTH,  # [mm]
    Q_PULL,  # acceleration along it [mm/s²]
    Q_TOP,  # highest speed in it [mm/s]
    Q_BOUND,  # highest speed that its neighbours may plan with [mm/s]
    Q_TERM,  # 0 stop, 1 exact path, 2 parabola, 3 straight on
    Q_KINK,
    Q_LAST,  # how fast it may end [mm/s]
    Q_RAPID,
    Q_FROM, Q_TO,  # what it covers of the programmed path [mm]
    Q_FIRST, Q_FINAL,  # its first and last move
    Q_WAIT,  # [s], < 0 for none
    Q_CORNER,  # bound of a parabola's speed² over acceleration [mm], inf for none
    Q_LEAVING,  # speed at which it begins to blend into the next [mm/s]
    Q_OPEN,
    QUEUE_COLUMNS,
) = range(17)  # fmt: skip

STOP, EXACT, PARABOLA, STRAIGHT = 0.0, 1.0, 2.0, 3.0
LINE, ARC, BLEND = 0.0, 1.0, 2.0

# Columns of the machine's row.
CYCLE, OVERRIDE, PATH_SPEED = range(3)  # servo period [s], greatest feed override, cap along the path [mm/s]

# Columns of a runner: how far a piece at the head of the queue has come.
(
    WAY,  # [mm]
    SPEED,  # [mm/s]
    SPAN,  # length of its next cycle [s]
    IS_ENDING,  # 1 if it ends within its next cycle, after SPAN
    END_SPEED,
    IS_SHORT,  # 1 if it runs at one acceleration
    IS_ACTIVE,
    IS_BLENDING,  # 1 once the next piece has been started beside it
    BLEND_SPEED,  # its speed when that began [mm/s]
    IS_BRAKING,  # 1 in the braking that ends it
    IS_DONE,
    PEAK,  # its highest speed so far [mm/s]
    RUNNER_COLUMNS,
) = range(13)

# Columns of a leg.
LEG_TIME, LEG_WAY, LEG_SPEED, LEG_PULL, LEG_COLUMNS = range(5)
