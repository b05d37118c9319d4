# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults of the computer that records: killed, out of disk, flooded."""

import os
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np

from controllers.mosquitto import Mosquitto
from faults.recording import (
    ENVIRONMENT,
    ITEMS,
    PATIENCE,
    SIGNALS,
    TAIL,
    Outcome,
    Process,
    Sender,
    batch,
    memory,
    recorded_at,
)  # fmt: skip
from freecad_camtwin.connectors.mqtt.payload import encode_batch
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.twin.signals.frames import Frames

#: What a flood may add to a process: its queues, one of them while it is emptied and filled again, and copies [MB].
MEMORY = 500


def killed(folder, times=3, most=TAIL):
    """The recorder is killed with SIGKILL, at any moment."""
    random, tails, torn, runs = np.random.default_rng(2), [], 0, 0
    with Mosquitto(folder).running() as broker:
        for number in range(times):
            place = folder / str(number)
            place.mkdir()
            with recorded_at(place, broker) as (sender, recorder):
                recorder.until(lambda r=recorder: r.newest() > 1000, "a second")
                time.sleep(random.uniform(0, 0.6))
                safe = recorder.newest()
                recorder.child.send_signal(signal.SIGKILL)
                at = time.time()
                recorder.child.wait()
                sender.pause()
            with RecordingReader(recorder.run) as reader:
                rows = reader.query(["line"])
                torn += not np.array_equal(np.diff(rows.columns["line"]), np.ones(len(rows) - 1))
                torn += rows.columns["line"][-1] < safe or reader.finished is not None
            known = [when for _, _, when in sender.known if when <= at]
            tails.append(max(known) - rows.time[-1])
            runs += len(rows)
    return Outcome(
        f"kill -9 of the recorder, {times} times, at 1,000 rows/s",
        f"{runs:,} rows readable, without a hole and all that were safe before: {torn == 0}",
        f"the last {', '.join(f'{tail:.2f}' for tail in tails)} s; {TAIL:g} s is stated",
        torn == 0 and max(tails) <= most,
    )


def disk_full(folder):
    """The disk takes no more: files may not grow beyond 400 kB."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    with Mosquitto(folder).running() as broker, Sender(broker, per=200, rate=10_000.0) as sender:
        url = f"mqtt://127.0.0.1:{broker.port}/shop/#"
        with Process(folder, url, prepare=limit) as recorder:
            code, said = recorder.ended()
        sender.pause()
    with RecordingReader(recorder.run) as reader:
        line = reader.query(["line"]).columns["line"]
    sentence = said.splitlines()[-1].removeprefix("camtwin: ")
    whole = bool((np.diff(line) == 1).all())
    return Outcome(
        "disk full: no file may grow beyond 400 kB",
        f"exit code {code}: {sentence}",
        f"what came after it; the {len(line):,} rows read back without a hole: {whole}",
        code == 3 and whole and f"first {len(line)} rows are safe" in sentence,
    )


def _flood(broker, seconds):
    """Publish batches of 100 new rows as fast as a client can; return how many rows."""
    block = batch(0, 100)
    payload, times = encode_batch(block), block.time.astype("<f8").tobytes()
    before, after = payload.split(times)
    with Sender(broker) as sender:
        sender.pause()
        sent, begun, at = 0, time.monotonic(), 0.0
        while time.monotonic() < begun + seconds:
            at = max(time.time(), at + 3e-5)
            rows = at + np.arange(100) * 3e-7  # a double tells no finer times
            message = sender.client.publish("shop/flood", before + rows.astype("<f8").tobytes() + after)
            sent += 1
            if sent % 200 == 0:
                message.wait_for_publish(PATIENCE)
    return 100 * sent


def flood(folder, seconds=6.0):
    """More comes than can be recorded."""
    with Mosquitto(folder).running() as broker:
        with recorded_at(folder, broker) as (sender, recorder):
            recorder.until(lambda: recorder.newest() > 1000, "a second")
            sender.pause()
            before, _ = memory(recorder.child.pid)
            sent = _flood(broker, seconds)
            _, most = memory(recorder.child.pid)
            code = recorder.stop()
        with RecordingReader(recorder.run) as reader:
            counters = reader.counters
        lost = [f"{number:,} {reason}" for reason, number in sorted(counters.dropped.items())]
    return Outcome(
        f"flood: {sent / seconds:,.0f} rows/s of {len(ITEMS)} values for {seconds:g} s",
        f"memory {before:.0f} MB before, {most:.0f} MB at most; {counters.recorded:,} rows recorded",
        f"counted: {'; '.join(lost) or 'nothing'}; the broker drops the rest, as nobody asked it to wait",
        most - before < MEMORY and code == 0,
    )


def sleeping_window(folder, seconds=4.0):
    """FreeCAD does not drain its live data: nobody reads the pipe."""
    with Mosquitto(folder).running() as broker, _watched(folder, broker) as child:
        select.select([child.stdout], [], [], PATIENCE)  # it has begun
        before, _ = memory(child.pid)
        sent = _flood(broker, seconds)
        _, most = memory(child.pid)
        since = time.time()
        with Sender(broker):
            newest = _newest(child, since)
    return Outcome(
        f"nobody reads the pipe to FreeCAD for {seconds:g} s, {sent / seconds:,.0f} rows/s come",
        f"memory {before:.0f} MB before, {most:.0f} MB at most; then the newest rows",
        f"{newest.lost:,} rows, the oldest, counted",
        most - before < MEMORY,
    )


@contextmanager
def _watched(folder, broker):
    """Yield a child that watches as FreeCAD's does."""
    (folder / "map.toml").write_text(SIGNALS)
    words = ["watch", f"mqtt://127.0.0.1:{broker.port}/shop/#", "--pipe", "--signals", str(folder / "map.toml")]
    with subprocess.Popen(
        [sys.executable, "-m", "freecad_camtwin.cli.main", "--quiet", *words],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def _newest(child, since):
    """Read until a frame tells of rows that were sent since then; return it."""
    stream, deadline = Frames(), time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for frame in stream.take(os.read(child.stdout.fileno(), 1 << 20)):
            if frame.rows.rows and frame.rows.time[-1] > since:
                return frame
    raise AssertionError("the newest rows did not come")
