# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio

import pytest

from freecad_camtwin.connectors.protocol import Told
from freecad_camtwin.connectors.retry import Backoff, LostError, sessions
from freecad_camtwin.errors import ConnectorError
from freecad_camtwin.twin.signals.observation import Event


def test_pauses_double_up_to_the_longest():
    backoff = Backoff(1.0, 10.0, draw=lambda: 1.0)
    assert [backoff.pause() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.pause() == 1


def test_no_two_wait_alike():
    pauses = {Backoff().pause() for _ in range(20)}
    assert len(pauses) > 10
    assert min(pauses) >= 0.125
    assert max(pauses) <= 0.25


def quick():
    return Backoff(0.0, 0.0)


async def listen(plan, told, patience=0.0):
    """Run one session after the other: each a list of events, and what ends it."""
    left = iter(plan)

    async def session():
        events, end = next(left)
        for event in events:
            yield event
        if end:
            raise end

    return [each async for each in sessions(session, told, patience=patience, backoff=quick())]


def test_a_lost_connection_is_one_gap_however_often_it_is_tried():
    told = Told()
    plan = [
        ([Event(1.0, "a", "1")], LostError("the broker left")),
        ([], LostError("the broker is away")),
        ([], LostError("the broker is away")),
        ([Event(2.0, "a", "2")], None),
    ]
    found = asyncio.run(listen(plan, told))
    assert [(each.item, each.value) for each in found] == [("a", "1"), ("GAP", "the broker left"), ("a", "2")]
    assert told.warnings == ["the broker left", "the broker is away"]


def test_what_was_never_there_is_an_error():
    with pytest.raises(ConnectorError, match="no answer; tried for 0 s"):
        asyncio.run(listen([([], LostError("no answer"))], Told()))


def test_what_refuses_us_is_not_asked_again():
    plan = [([Event(1.0, "a", "1")], ConnectorError("wrong password")), ([Event(2.0, "a", "2")], None)]
    with pytest.raises(ConnectorError, match="wrong password"):
        asyncio.run(listen(plan, Told()))
