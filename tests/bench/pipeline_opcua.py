# SPDX-License-Identifier: LGPL-2.1-or-later
"""OPC UA at 20 values a thousand times a second: from a publisher in a process of its own to a connector's rows."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.report import Row
from controllers.opcua import Certificates, Peer
from controllers.opcua_server import NUMBERS
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.twin.signals.observation import Event, Samples

ROWS, RATE = 6000, 1000


def rows() -> list[Row]:
    """Measure, and return what is reported."""
    plain, encrypted = _plain(), _encrypted()
    unit = f"of {len(NUMBERS)} values at {RATE} Hz"
    return [
        Row("opcua_delivered_ratio", plain.delivered, unit, "higher", required=1.0),
        Row("opcua_p50_ms", plain.late(50), "ms from source time to row", "lower"),
        Row("opcua_p99_ms", plain.late(99), "ms from source time to row", "lower"),
        Row("opcua_client_core", plain.spent, "of a core", "lower"),
        Row("opcua_encrypted_delivered_ratio", encrypted.delivered, unit, "higher", aim=1.0),
        Row("opcua_encrypted_p99_ms", encrypted.late(99), "ms from source time to row", "lower"),
        Row("opcua_encrypted_client_core", encrypted.spent, "of a core", "lower"),
    ]


@dataclass(frozen=True)
class _Heard:
    """What came."""

    delivered: float  #: share of the published values
    lateness: np.ndarray  #: of each row [ms]
    spent: float  #: of a core

    def late(self, percent: float) -> float:
        return float(np.percentile(self.lateness, percent))


def _plain() -> _Heard:
    with Peer.python("publisher").running() as shown:
        return asyncio.run(_measured(shown, Options(patience=60)))


def _encrypted() -> _Heard:
    """Aes256Sha256RsaPss, signed and encrypted."""
    with TemporaryDirectory() as folder:
        made = Certificates(Path(folder))
        (theirs, their_key), (ours, our_key) = made.make("machine"), made.make("recorder")
        options = Options(patience=60, certificate=ours, key=our_key, authority=theirs)
        with Peer.python("publisher", certificate=theirs, key=their_key, authority=ours).running() as shown:
            return asyncio.run(_measured(shown, options))


async def _measured(shown: Peer, options: Options) -> _Heard:
    connector = open_connector(shown.address, options)
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
    return _Heard(delivered / (ROWS * len(NUMBERS)), np.concatenate(late), share)
