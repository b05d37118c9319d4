# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine is never kept waiting by those who hear it, or by there being nobody."""

import asyncio

import numpy as np
import pytest

from freecad_camtwin.live.broker import DemoBroker
from freecad_camtwin.publishers import Spoken, open_publisher
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples

ITEMS = (Item("x", "POSITION", "mm", "ACTUAL", "Linear X"), Item("program", "PROGRAM", "", "", "Path"))
SPOKEN = Spoken("mill", "mill-1", ITEMS, simulated=True)


def said(at):
    """A block of rows, a word and a gap."""
    rows = Samples(1.7e9 + at + np.arange(100) / 100, ("x",), np.arange(100.0).reshape(-1, 1))
    return rows, Event(1.7e9 + at + 1.0, "program", f"{at}.ngc"), Event(1.7e9 + at + 1.0, GAP, "it was switched off")


def is_told_without_waiting(call):
    """Drive a call by hand: it may give others a turn, but may not wait until something happens."""
    while True:
        try:
            waits_for = call.send(None)
        except StopIteration:
            return True
        if waits_for is not None:
            call.close()
            return False


@pytest.mark.parametrize(
    "address", ["mtconnect+http://127.0.0.1:0", "opc.tcp://127.0.0.1:0", "mqtt://127.0.0.1:{}/mill"]
)
def test_to_tell_never_waits_for_a_listener(address):
    async def run():
        async with DemoBroker(0) as broker, open_publisher(address.format(broker.port), SPOKEN) as publisher:
            calls = (publisher.tell(observation) for at in range(20) for observation in said(at))
            return [is_told_without_waiting(call) for call in calls]

    assert all(asyncio.run(run()))
