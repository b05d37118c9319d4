# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine for the benchmarks of the pipeline: moves along a program and tells so in real time, through a publisher.

Run in a process of its own: ``pipeline_source.py URL JOB.camtwin RATE ROWS SECONDS``. It prints the address where it is
heard, waits for a line on its standard input, and then tells ROWS rows at once, RATE rows a second. Each row's time is
when it should have been told, by the clock of this computer; what a row waits for its message is latency, too.

An address that begins with ``plain:`` is a topic that a bare paho client publishes JSON to, as other people's machines
do: the benchmark of single messages is about who listens.
"""

import asyncio
import sys
import time
from socket import IPPROTO_TCP, TCP_NODELAY

import msgspec
import numpy as np
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from freecad_camtwin.publishers import PublisherOptions, Spoken, open_publisher
from freecad_camtwin.twin.cycle_time.motion import schedule
from freecad_camtwin.twin.package.package import load_package
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Samples

ITEMS = (
    Item("x", "POSITION", "mm", component="Linear X"),
    Item("y", "POSITION", "mm", component="Linear Y"),
    Item("z", "POSITION", "mm", component="Linear Z"),
    Item("line", "LINE_NUMBER"),
    Item("power", "WATTAGE", "W"),
    Item("n_rpm", "ROTARY_VELOCITY", "1/min"),
    Item("feed", "PATH_FEEDRATE", "mm/s"),
    Item("feed_override", "PATH_FEEDRATE_OVERRIDE", "%"),
)
NAMES = tuple(item.name for item in ITEMS)


def course(path: str, rate: float, seconds: float) -> np.ndarray:
    """Return the rows of a run, (rows, items): to the micrometre and the tenth of a watt, as controls tell them."""
    package = load_package(path)
    timed = schedule(package.lines.program, package.machine)
    times = np.arange(1, round(rate * seconds) + 1) / rate % timed.total
    move, _ = timed.travelled(times)
    noise = np.random.default_rng(0).normal(0, 5, (3, len(times)))
    return np.column_stack(
        [
            np.round(timed.position(times), 3),
            package.lines.program.line[move],
            np.round(400 + noise[0], 1),
            np.round(8000 + noise[1], 1),
            np.round(15 + noise[2] / 100, 3),
            np.full(len(times), 100.0),
        ]
    )


async def tell(url: str, path: str, rate: float, at_once: int, seconds: float) -> None:
    """Tell the run."""
    rows = course(path, rate, seconds)
    spoken = Spoken("bench", "bench", ITEMS, simulated=True)
    async with open_publisher(url, spoken, PublisherOptions(batch_s=0.0)) as publisher:
        print(publisher.address, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        begin = time.time() + 0.1
        for first in range(0, len(rows) - at_once + 1, at_once):
            times = begin + np.arange(first + 1, first + at_once + 1) / rate
            # The loop's own timers only count milliseconds; an agent must be served meanwhile.
            await asyncio.sleep(max(0.0, times[-1] - time.time() - 0.001))
            time.sleep(max(0.0, times[-1] - time.time()))
            await publisher.tell(Samples(times, NAMES, rows[first : first + at_once]))


def tell_plainly(port: int, topic: str, path: str, rate: float, seconds: float) -> None:
    """Tell the run as JSON, a message a row."""
    rows = course(path, rate, seconds)
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_socket_open = lambda _client, _data, opened: opened.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    print(f"mqtt://127.0.0.1:{port}/{topic}", flush=True)
    sys.stdin.readline()
    begin = time.time() + 0.1
    for number, row in enumerate(rows.tolist()):
        at = begin + (number + 1) / rate
        message = {"schema": "camtwin.rows/1", "time": [at], "items": NAMES, "values": [row], "simulated": True}
        payload = msgspec.json.encode(message)
        time.sleep(max(0.0, at - time.time()))
        client.publish(topic, payload)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    url, job, rate, at_once, seconds = sys.argv[1:]
    if url.startswith("plain:"):
        _, port, topic = url.split(":")
        tell_plainly(int(port), topic, job, float(rate), float(seconds))
    else:
        asyncio.run(tell(url, job, float(rate), int(at_once), float(seconds)))
