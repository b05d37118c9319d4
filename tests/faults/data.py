# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults in what a machine says: doubled, late, unordered, damaged, hostile, without numbers, from another time."""

import json
import pickle
import struct
import time

import msgspec
import numpy as np

from controllers.mosquitto import Mosquitto
from faults.recording import ITEMS, Outcome, batch, finish, recorded_at
from freecad_camtwin.connectors.mqtt.payload import MAGIC, encode_batch
from freecad_camtwin.twin.signals.observation import Samples


def disorder(folder):
    """Rows come twice, late, and in any order."""
    random = np.random.default_rng(1)
    with Mosquitto(folder).running() as broker, recorded_at(folder, broker) as (sender, recorder):
        sender.pause()
        first, start = sender.next, time.time() + 1
        blocks = [batch(first + 10 * at, 10, start + at / 100) for at in range(100)]
        sender.next += 1000
        for at, block in enumerate(blocks):
            mixed = random.permutation(10)
            sender.send(Samples(block.time[mixed], ITEMS, block.values[mixed]))
            if at % 3 == 0:
                sender.send(block)
            if at > 20 and at % 5 == 0:
                sender.send(blocks[at - 20])
        with finish(sender, recorder) as reader:
            rows, counters = reader.query(["line"]), reader.counters
    line = rows.columns["line"]
    wanted = np.arange(first, first + 1000)
    found = line[line >= first]
    dropped = counters.dropped.get("late or doubled", 0)
    return Outcome(
        "1,000 rows, each ten shuffled, 340 sent twice, 150 of 0.2 s before",
        f"each row once, in order: {np.array_equal(found, wanted)}; {dropped} dropped and counted",
        "nothing but the copies",
        np.array_equal(found, wanted) and bool((np.diff(rows.time) > 0).all()) and dropped == 490,
    )


def hostile_payloads():
    """Return payloads that say nothing, and what they are."""
    good = encode_batch(batch(0, 10))
    head = msgspec.msgpack.encode({"items": ["row"], "rows": 10**12, "type": "f8"})
    rows = {"schema": "camtwin.rows/1", "time": [1.0], "items": ["row"], "values": [[1.0]]}
    return [
        good[:-1],
        good[: len(good) // 2],
        good + b"more",
        MAGIC + struct.pack("<I", 2**32 - 1) + good[8:],
        MAGIC + struct.pack("<I", len(head)) + head,
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        bytes(range(256)) * 40,
        pickle.dumps({"row": 1}),
        b"\xdd\xff\xff\xff\xff",
        b"\x81\xa3row\xdf\xff\xff\xff\xff",
        b"x" * 5_000_000,
        json.dumps({**rows, "values": [[1.0, 2.0]]}).encode(),
        json.dumps({**rows, "time": ["__import__('os').system('true')"]}).encode(),
        json.dumps({**rows, "strange": 1}).encode(),
        json.dumps({**rows, "items": ["row"] * 5000, "values": [[1.0] * 5000]}).encode(),
        b'{"schema": "camtwin.rows/1", "time": [1e999], "items": ["row"], "values": [[NaN]]}',
    ]


def garbage(folder):
    """Payloads are garbage, cut off, huge or hostile."""
    payloads = hostile_payloads()
    with Mosquitto(folder).running() as broker, recorded_at(folder, broker) as (sender, recorder):
        for payload in payloads:
            sender.send(payload)
        with finish(sender, recorder) as reader:
            rows, counters = reader.query(["line"]), reader.counters
    line = rows.columns["line"]
    whole = bool((np.diff(line) == 1).all())
    counted = sum(counters.dropped.values())
    return Outcome(
        f"{len(payloads)} payloads: cut off, huge, nested 100,000 deep, pickles, claims of 10¹² rows",
        f"{len(rows):,} good rows, each once: {whole}; {counted} dropped for {len(counters.dropped)} reasons",
        "nothing but the garbage",
        whole and counted >= len(payloads),
    )


def no_numbers(folder):
    """Values are NaN, infinite, or missing."""
    with Mosquitto(folder).running() as broker, recorded_at(folder, broker) as (sender, recorder):
        sender.pause()
        first = sender.next
        block = batch(first, 30, time.time() + 1)
        block.values[5:10, 1] = np.nan
        block.values[10:15, 1] = np.inf
        block.values[:, 6] = np.nan
        sender.next += 30
        sender.send(Samples(block.time, ITEMS, block.values))
        timeless = batch(first, 5)
        sender.send(Samples(np.full(5, np.nan), ITEMS, timeless.values))
        with finish(sender, recorder) as reader:
            rows, counters = reader.query(["line", "power"]), reader.counters
    ours = rows.columns["line"] >= first
    power = rows.columns["power"][ours]
    known = bool(np.isfinite(power).all()) and np.array_equal(power[:5], block.values[:5, 1])
    return Outcome(
        "NaN and infinity among the values, and rows whose time is NaN",
        f"all {int(ours.sum())} rows; NaN means no news: the last number holds",
        f"{counters.dropped.get('rows without a time', 0)} message of rows without a time, counted",
        known and int(ours.sum()) == 30 and counters.dropped.get("rows without a time") == 1,
    )


def clock_jumps(folder):
    """The machine's clock goes an hour ahead, and two hours back."""
    with Mosquitto(folder).running() as broker, recorded_at(folder, broker) as (sender, recorder):
        sender.pause()
        first, at = sender.next, time.time() + 3600
        for _ in range(100):
            sender.send(batch(sender.next, 10, at))
            sender.next, at = sender.next + 10, at + 0.01
        at -= 7200
        for _ in range(500):
            sender.send(batch(sender.next, 10, at))
            sender.next, at = sender.next + 10, at + 0.01
        with finish(sender, recorder) as reader:
            rows, counters = reader.query(["line"]), reader.counters
            warned = [event.value for event in reader.events(item="warning")]
    line = rows.columns["line"]
    gone = 6000 - int((line >= first).sum())
    rising, is_warned = bool((np.diff(rows.time) > 0).all()), any("set back" in sentence for sentence in warned)
    return Outcome(
        "clock 1 h ahead for 1 s, then 2 h back for 5 s",
        f"times rise throughout: {rising}; warned: {is_warned}",
        f"{gone} rows: 2 s in which late rows cannot be told from a clock set back; counted",
        1900 <= gone <= 2200 and counters.dropped.get("late or doubled") == gone and rising and is_warned,
    )
