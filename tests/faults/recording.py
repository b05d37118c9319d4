# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recorder in a process of its own, and somebody who publishes numbered rows and knows which the broker has."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from freecad_camtwin.connectors.mqtt.payload import encode_batch
from freecad_camtwin.errors import InputError
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.twin.signals.observation import Samples

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 60
#: What a kill may take, as docs/recording.md says [s].
TAIL = 1.0

ITEMS = ("row", "watt", "x", "y", "z", "shake", "heat")
_MEANINGS = ("LINE_NUMBER", "SPINDLE_POWER", "POSITION_X", "POSITION_Y", "POSITION_Z", "VIBRATION", "TEMPERATURE")
SIGNALS = "".join(
    f'[[signals]]\nitem = "{item}"\nmeaning = "{meaning}"\n' for item, meaning in zip(ITEMS, _MEANINGS, strict=True)
)


@dataclass(frozen=True)
class Outcome:
    """What became of one fault."""

    done: str  #: what was done
    came: str  #: what came out of it
    lost: str  #: what was lost, and why
    is_well: bool  #: whether that is within what docs/recording.md says


def batch(first, rows, at=None, rate=1000.0):
    """Return numbered rows as a message, the last of them at a time."""
    number = np.arange(first, first + rows, dtype=float)
    last = time.time() if at is None else at
    values = np.random.default_rng(first).normal(400, 50, (rows, len(ITEMS)))
    values[:, 0] = number
    return Samples(last + (number - number[-1]) / rate, ITEMS, values)


class Process:
    """``camtwin record`` on a source."""

    def __init__(self, folder, url, *words, signals=SIGNALS, prepare=None, name="run"):
        self.run = folder / name
        self.folder = folder
        command = ["record", url, "-o", str(self.run), *words]
        if signals:
            (folder / "map.toml").write_text(signals)
            command += ["--signals", str(folder / "map.toml")]
        self.output = folder / f"{name}.output"
        self.errors = folder / f"{name}.errors"
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "freecad_camtwin.cli.main", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=ENVIRONMENT,
                preexec_fn=prepare,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()

    def rows(self):
        """Return the rows that are safe now, in order of time; none before it has begun."""
        try:
            with RecordingReader(self.run) as reader:
                return reader.query()
        except InputError:
            return None

    def newest(self):
        """Return the number of the newest row that is safe; -1 where there is none."""
        try:
            with RecordingReader(self.run) as reader:
                bounds = reader.span
                rows = reader.query(["line"], start=bounds[1] - 0.5) if bounds else []
                return int(rows.columns["line"][-1]) if len(rows) else -1
        except InputError:
            return -1

    def until(self, condition, what):
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.child.poll() is None, f"the recorder ended: {self.errors.read_text()}"
            assert time.monotonic() < deadline, f"{what} did not come about: {self.errors.read_text()}"
            time.sleep(0.05)

    def stop(self):
        """End the recording as Ctrl-C does; return its exit code."""
        self.child.send_signal(signal.SIGINT)
        return self.child.wait(PATIENCE)

    def ended(self):
        """Wait for its own end; return the exit code and what it said on standard error."""
        return self.child.wait(PATIENCE), self.errors.read_text().strip()


def memory(process):
    """Return how much memory a process holds, and has held at most [MB]."""
    said = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return tuple(int(re.search(rf"{name}:\s+(\d+)", said)[1]) / 1024 for name in ("VmRSS", "VmHWM"))


class Sender:
    """Publishes numbered rows at 1 kHz, with an acknowledgement each ten; those are told that the broker has."""

    def __init__(self, broker, per=10, rate=1000.0, topic="shop/rows", user=None):
        self.per, self.rate, self.topic = per, rate, topic
        self.next, self._at = 0, 0.0
        self.known: list[tuple[int, int, float]] = []  # first, after the last, time: what the broker has
        self._waiting: dict[int, tuple[int, int, float]] = {}
        self._acknowledged: deque[int] = deque()  # by paho's thread, which must never wait for ours
        self._pause = threading.Event()
        self._over = False
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.reconnect_delay_set(1, 1)
        if user:
            self.client.username_pw_set(*user)
        if broker.context is not None:
            self.client.tls_set_context(broker.context)
        self.client.on_publish = lambda _client, _data, number, _code, _more: self._acknowledged.append(number)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._pause.set()
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._over = True
        self._pause.set()
        self._thread.join()
        self.client.disconnect()
        self.client.loop_stop()

    def pause(self):
        """Be silent, once all that was sent is known to be there."""
        self._pause.clear()
        deadline = time.monotonic() + PATIENCE
        while self._waiting and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(2 * self.per / self.rate)

    def go_on(self):
        self._pause.set()

    def send(self, samples):
        """Publish one message, and return when the broker has it."""
        payload = samples if isinstance(samples, bytes) else encode_batch(samples)
        self.client.publish(self.topic, payload, qos=1).wait_for_publish(PATIENCE)

    def _run(self):
        due = time.monotonic()
        while not self._over:
            self._settle()
            if not self._pause.is_set() and not self._waiting:
                self._pause.wait()
            if self._pause.is_set() and self.client.is_connected() and len(self._waiting) < 100:
                self._at = max(time.time(), self._at + self.per / self.rate)  # rows never overlap in time
                sent = self.client.publish(
                    self.topic, encode_batch(batch(self.next, self.per, self._at, self.rate)), qos=1
                )
                self._waiting[sent.mid] = (self.next, self.next + self.per, self._at)
                self.next += self.per
            due = max(due + self.per / self.rate, time.monotonic() - 0.1)
            time.sleep(max(0.0, due - time.monotonic()))

    def _settle(self):
        """Note what the broker has by now."""
        for _ in range(len(self._acknowledged)):
            number = self._acknowledged.popleft()
            if number in self._waiting:
                self.known.append(self._waiting.pop(number))


def missing(sender, rows, *, after=0):
    """Return numbers and times of the rows that the broker had and the recording has not, from its first row on."""
    recorded = set(rows.columns["line"].astype(int).tolist())
    first = max(min(recorded), after)
    return [
        (row, at)
        for begin, end, at in sorted(sender.known)
        for row in range(max(begin, first), end)
        if row not in recorded
    ]


@contextmanager
def recorded_at(folder, broker, *words, **options):
    """Yield a sender and a recorder of what it sends, once the recorder has begun."""
    url = f"mqtt://127.0.0.1:{broker.port}/shop/#"
    with Process(folder, url, *words, **options) as recorder, Sender(broker) as sender:
        recorder.until(lambda: recorder.newest() >= 0, "the first row")
        yield sender, recorder


def finish(sender, recorder):
    """Let all arrive that was sent, end the recording, and return its reader."""
    sender.pause()
    recorder.until(lambda: recorder.newest() >= sender.next - 1, "the last row")
    code = recorder.stop()
    assert code == 0, recorder.errors.read_text()
    return RecordingReader(recorder.run)
