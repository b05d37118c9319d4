# SPDX-License-Identifier: LGPL-2.1-or-later
"""How tests listen to a connector."""

import asyncio
from contextlib import aclosing

import numpy as np

from freecad_camtwin.twin.signals.observation import Event, Samples

#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 120


async def until(connector, enough, seen=None):
    """Return what a connector says until ``enough(seen)``, or its end."""
    seen = [] if seen is None else seen

    async def listen():
        async with aclosing(connector.observations()) as found:
            async for observation in found:
                seen.append(observation)
                if enough(seen):
                    return

    await asyncio.wait_for(listen(), PATIENCE)
    return seen


def everything(connector):
    """Return all that a connector with an end says."""
    return asyncio.run(until(connector, lambda seen: False))


def numbers(observations, item):
    """Return times and values of an item."""
    pairs = [
        (time, value)
        for block in observations
        if isinstance(block, Samples) and item in block.items
        for time, value in zip(block.time, block.values[:, block.items.index(item)], strict=True)
        if not np.isnan(value)
    ]
    return [time for time, _ in pairs], [value for _, value in pairs]


def words(observations, item):
    """Return what an item said in words."""
    return [event.value for event in observations if isinstance(event, Event) and event.item == item]
