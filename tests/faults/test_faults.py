# SPDX-License-Identifier: LGPL-2.1-or-later
"""The quick faults, each done to a recorder in a process of its own; ``make faults`` does all, in full length."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from faults import computer, connections, data
from faults.run import tried

QUICK = (
    data.disorder,
    data.garbage,
    data.no_numbers,
    data.clock_jumps,
    connections.wrong_certificate,
    connections.wrong_password,
    connections.no_permission,
    partial(connections.silence, seconds=0.5),
    partial(computer.killed, times=1, most=5 * 0.5),  # five times the usual: `make faults` holds what is stated
    computer.disk_full,
)


def test_nothing_is_lost_beyond_what_is_stated():
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(tried, QUICK))
    assert [outcome for outcome in outcomes if not outcome.is_well] == []
