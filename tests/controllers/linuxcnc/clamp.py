#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A simulated power clamp on the spindle's cable: LinuxCNC moves for real, but cuts nothing, so somebody must pull.

Runs beside the controller, under the system's Python. Every few milliseconds it looks where the controller is (program
line and position, in HAL), looks up what the package predicts for that place, and shows it on its pin ``clamp.power``
[W] as a clamp would: times a hidden factor, on top of an idle power, late, and noisy.

    clamp.py TABLE      {"gain", "idle", "lag", "noise", "moves": [[line, feed, start, end, [[until mm, watts], …]], …]}
"""

import bisect
import json
import math
import random
import sys
import time

import hal

EVERY = 0.005  # [s]
MOST_MERGED = 40
PINS = ("joint.0.motor-pos-fb", "joint.1.motor-pos-fb", "joint.2.motor-pos-fb")


class Table:
    """What the package predicts, by line and position."""

    def __init__(self, moves):
        self.moves = moves
        self.lines = [move[0] for move in moves]  # rising: these programs have no loops
        self.at = 0  # the move where the controller was last

    def watts(self, line, point, speed):
        """Return the predicted power at a place and a speed; it is taken to rise evenly with the speed."""
        last = bisect.bisect_right(self.lines, line) - 1  # the line may be one without length, after the one that moves
        if last < 0:
            return 0.0
        first = self.at if last - MOST_MERGED < self.at <= last else max(0, last - MOST_MERGED)
        self.at = min(range(first, last + 1), key=lambda index: self.miss(index, point))
        _, feed, start, _, steps = self.moves[self.at]
        reach = bisect.bisect_left([step[0] for step in steps], math.dist(start, point))
        return steps[min(reach, len(steps) - 1)][1] * speed / feed if steps else 0.0

    def miss(self, index, point):
        """Return how far a move's chord is from a point."""
        _, _, (x, y, z), (u, v, w), _ = self.moves[index]
        u, v, w = u - x, v - y, w - z
        square = u * u + v * v + w * w
        share = ((point[0] - x) * u + (point[1] - y) * v + (point[2] - z) * w) / square if square else 0.0
        share = min(max(share, 0.0), 1.0)
        return math.dist(point, (x + share * u, y + share * v, z + share * w))


def main():
    """Show the power until HAL ends us."""
    with open(sys.argv[1], encoding="utf-8") as file:
        said = json.load(file)
    table, noise = Table(said["moves"]), random.Random(1)
    component = hal.component("clamp")
    component.newpin("power", hal.HAL_FLOAT, hal.HAL_OUT)
    component.ready()
    print("ready", flush=True)
    shown, before = 0.0, time.monotonic()
    try:
        while True:
            point = [hal.get_value(pin) for pin in PINS]
            point[2] -= hal.get_value("motion.tooloffset.z")
            cutting = said["gain"] * table.watts(
                hal.get_value("motion.program-line"), point, hal.get_value("motion.current-vel")
            )
            pulled = (said["idle"] if hal.get_value("spindle.0.on") else 0.0) + cutting
            now = time.monotonic()
            shown += (pulled - shown) * (1.0 - math.exp((before - now) / said["lag"]))
            before = now
            component["power"] = max(0.0, shown + noise.gauss(0.0, said["noise"]))
            time.sleep(EVERY)
    except KeyboardInterrupt:  # LinuxCNC was shut down
        component.exit()


if __name__ == "__main__":
    main()
