# SPDX-License-Identifier: LGPL-2.1-or-later
"""OPC UA at 20 values a thousand times a second: from a publisher in a process of its own to a connector's rows."""

import asyncio
import time

import numpy as np

from bench.report import Row
from controllers.opcua import Peer
from controllers.opcua_server import NUMBERS
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.twin.observation import Event, Samples

ROWS, RATE = 6000, 1000


def rows() -> list[Row]:
    """Measure, and return what is reported."""
    with Peer.python("publisher").running() as shown:
        delivered, late, spent = asyncio.run(_measured(shown))
    published = ROWS * len(NUMBERS)
    load = published / ROWS
    return [
        Row("opcua_delivered_ratio", delivered / published, f"of {load:g} values at {RATE} Hz", "higher", required=1.0),
        Row("opcua_p50_ms", float(np.percentile(late, 50)), "ms from source time to row", "lower"),
        Row("opcua_p99_ms", float(np.percentile(late, 99)), "ms from source time to row", "lower"),
        Row("opcua_client_core", spent, "of a core", "lower"),
    ]


async def _measured(shown: Peer) -> tuple[int, np.ndarray, float]:
    """Return the number of values that came, how late each row came [ms], and the share of a core that this took."""
    connector = open_connector(shown.address, Options(patience=60))
    delivered, late = 0, []
    ready, over = asyncio.Event(), asyncio.Event()

    async def listen() -> None:
        nonlocal delivered
        async for observation in connector.observations():
            now = time.time()
            if isinstance(observation, Samples):
                delivered += int(np.isfinite(observation.values).sum())
                late.append((now - observation.time) * 1e3)
            elif isinstance(observation, Event) and observation.item.endswith("ActiveProgram.Name"):
                ready.set()
                if observation.value == "end":
                    over.set()

    listening = asyncio.create_task(listen())
    await asyncio.wait_for(ready.wait(), 120)
    began, spent = time.perf_counter(), time.process_time()
    await asyncio.to_thread(shown.tell, rows=ROWS, rate=RATE)
    await asyncio.to_thread(shown.tell, words={"program": "end"})
    await asyncio.wait_for(over.wait(), 120)
    share = (time.process_time() - spent) / (time.perf_counter() - began)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    return delivered, np.concatenate(late), share
