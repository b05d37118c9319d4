# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults between the machine and the recorder: restarts, silence, and doors that stay shut."""

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from controllers.mosquitto import Certificates, Mosquitto, trusting
from controllers.opcua import Peer
from controllers.recorded_agent import RecordedAgent
from faults.recording import PATIENCE, Outcome, Process, Sender, finish, missing, recorded_at
from freecad_camtwin.store.reader import RecordingReader


def broker_restart(folder):
    """A broker is stopped for two seconds."""
    with Mosquitto(folder).running() as broker, recorded_at(folder, broker) as (sender, recorder):
        recorder.until(lambda: recorder.newest() > 500, "half a second")
        broker.stop()
        time.sleep(2)
        broker.start()
        before = sender.next
        recorder.until(lambda: recorder.newest() > before + 500, "half a second after the restart")
        with finish(sender, recorder) as reader:
            rows, gaps = reader.query(["line"]), reader.gaps()
    gone = missing(sender, rows)
    outside = [row for row, at in gone if not any(gap.start - 0.1 <= at <= gap.stop + 0.1 for gap in gaps)]
    return Outcome(
        "mosquitto stopped for 2 s, started again",
        f"{len(rows):,} rows, {len(gaps)} gap of {gaps[0].stop - gaps[0].start:.1f} s" if gaps else "no gap",
        f"{len(gone)} rows that the broker took while we were not connected: inside the gap; outside it {len(outside)}",
        len(gaps) == 1 and not outside,
    )


def silence(folder, seconds=30.0):
    """A machine says nothing for a while."""
    words = ("--silence", str(seconds))
    with Mosquitto(folder).running() as broker, recorded_at(folder, broker, *words) as (sender, recorder):
        sender.pause()
        time.sleep(1.1 * seconds + 0.5)
        sender.go_on()
        before = sender.next
        recorder.until(lambda: recorder.newest() > before + 200, "rows after the silence")
        with finish(sender, recorder) as reader:
            rows, gaps = reader.query(["line"]), reader.gaps()
    gone = missing(sender, rows)
    return Outcome(
        f"{1.1 * seconds + 0.5:.0f} s of silence where {seconds:g} s count as a gap",
        f"{len(rows):,} rows, {len(gaps)} gap: {gaps[0].reason}" if gaps else "no gap",
        f"{len(gone)} rows",
        len(gaps) == 1 and gaps[0].stop - gaps[0].start > seconds and not gone,
    )


#: Observations in a document of the agent.
_DOCUMENT = 100


class _Restarting(RecordedAgent):
    """An agent that hangs up after every few documents, and that is another one after the second time."""

    def __init__(self, *, restarts):
        super().__init__()
        self.count, self.restarts, self.times = _DOCUMENT, restarts, 0

    async def _sample(self, start, outgoing):
        self.times += 1
        self.hangs_up_after = 8 if self.times < 4 else None
        if self.restarts and self.times == 3:
            self.instance = "another"
        await super()._sample(start, outgoing)


@contextmanager
def _running(agent):
    """Run an agent in a thread; yield its address."""
    loop, url = asyncio.new_event_loop(), []
    ready, over = threading.Event(), asyncio.Event()

    async def serve():
        async with agent.running() as address:
            url.append(address)
            ready.set()
            await over.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    ready.wait(PATIENCE)
    try:
        yield url[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE)


def _recorded(folder, agent, name):
    """Record what an agent has to say; return rows and gaps."""
    folder = folder / name
    folder.mkdir()
    with _running(agent) as url, Process(folder, url, signals=None) as recorder:
        last = []

        def is_still():
            rows = recorder.rows()
            last.append(len(rows) if rows is not None else 0)
            return last[-1] > 0 and len(last) > 20 and len(set(last[-20:])) == 1

        recorder.until(is_still, "the end of what the agent has")
        recorder.stop()
        with RecordingReader(recorder.run) as reader:
            return reader.query(), reader.gaps()


def agent_lost(folder):
    """An MTConnect agent hangs up three times, and its buffer holds what was missed."""
    undisturbed = RecordedAgent()
    undisturbed.count = _DOCUMENT
    whole, _ = _recorded(folder, undisturbed, "whole")
    rows, gaps = _recorded(folder, _Restarting(restarts=False), "lost")
    gone = len(whole) - len(rows)
    same = gone == 0 and all(
        np.array_equal(rows.columns[name], column, equal_nan=True) for name, column in whole.columns.items()
    )
    return Outcome(
        "MTConnect agent hung up 3 times",
        f"{len(rows):,} rows, {len(gaps)} gaps; each as without the faults: {same}",
        f"{gone} rows: the agent's buffer had them",
        same and not gaps,
    )


def agent_restart(folder):
    """An MTConnect agent is started anew: its numbers begin again, and what it had not told is gone."""
    agent = _Restarting(restarts=True)
    rows, gaps = _recorded(folder, agent, "restart")
    rising = bool((np.diff(rows.time) > 0).all())
    return Outcome(
        "MTConnect agent started anew (another instanceId)",
        f"{len(rows):,} rows, {len(gaps)} gap: {gaps[0].reason.split('/')[-1]}" if gaps else "no gap",
        "what the agent had not told before: inside the gap",
        len(gaps) == 1 and rising and len(rows) > 100,
    )


def opcua_restart(folder):
    """An OPC UA server is killed and started again."""
    with Peer.python("publisher").running() as server:
        with Process(folder, server.address, signals=None) as recorder:
            recorder.until(lambda: server.tell(rows=20) and len(recorder.rows() or ()), "the first rows")
            before = len(recorder.rows())
            server.tell(rows=1000)
            recorder.until(lambda: len(recorder.rows()) >= before + 1000, "all that was told")
            told = len(recorder.rows())
            server.stop()
            server.start()
            recorder.until(lambda: server.tell(rows=100) and len(recorder.rows()) > told + 500, "rows after it")
            recorder.stop()
        with RecordingReader(recorder.run) as reader:
            rows, gaps = reader.query(["x"]), reader.gaps()
    inside = [gap for gap in gaps if gap.stop is None or np.any((rows.time > gap.start) & (rows.time < gap.stop))]
    kept = int((rows.time <= gaps[0].start).sum()) if gaps else 0
    return Outcome(
        "OPC UA server killed, started again",
        f"{len(rows):,} rows; all 1,000 told before it: {kept >= before + 1000}; {len(gaps)} gap",
        "what was told while nobody was connected: inside the gap",
        len(gaps) == 1 and not inside and kept >= before + 1000,
    )


def _refused(folder, url, *words):
    """Try to record; return exit code, sentence, and whether there is no file."""
    with Process(folder, url, *words) as recorder:
        code, said = recorder.ended()
        return code, said, not recorder.run.exists()


def _outcome(done, code, said, no_file, words):
    is_well = code == 3 and len(said.splitlines()) == 1 and words in said and no_file
    return Outcome(
        done, f"exit code {code}: {said.removeprefix('camtwin: ')}", "nothing: no recording was begun", is_well
    )


def wrong_certificate(folder):
    """A broker shows a certificate of an authority that is not ours."""
    certificates = Certificates(folder)
    lines = [f"certfile {certificates.broker[0]}", f"keyfile {certificates.broker[1]}", "allow_anonymous true"]
    with Mosquitto(folder, lines, trusting(certificates, certificates.recorder)).running() as broker:
        url = f"mqtts://127.0.0.1:{broker.port}/shop/#"
        found = _refused(folder, url, "--ca", str(certificates.other_authority), "--patience", "30")
    return _outcome("broker's certificate of a strange authority", *found, "is not trusted")


def our_wrong_certificate(folder):
    """We show a certificate that the broker does not know."""
    certificates = Certificates(folder)
    lines = [
        f"cafile {certificates.authority}", f"certfile {certificates.broker[0]}", f"keyfile {certificates.broker[1]}",
        "require_certificate true", "allow_anonymous true",
    ]  # fmt: skip
    with Mosquitto(folder, lines, trusting(certificates, certificates.recorder)).running() as broker:
        url = f"mqtts://127.0.0.1:{broker.port}/shop/#"
        pair = ("--cert", str(certificates.stranger[0]), "--key", str(certificates.stranger[1]))
        found = _refused(folder, url, "--ca", str(certificates.authority), *pair, "--patience", "2")
    return _outcome("our certificate of a strange authority", *found, "the broker 127.0.0.1")


def wrong_password(folder):
    """A password is wrong."""
    (folder / "password").write_text("wrong\n")
    with Mosquitto(folder, ["allow_anonymous false"]).running() as broker:
        url = f"mqtt://127.0.0.1:{broker.port}/shop/#"
        found = _refused(folder, url, "--user", "me", "--password-file", str(folder / "password"))
    return _outcome("wrong password", *found, "refuses us")


def no_permission(folder):
    """The broker refuses the subscription."""
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    (folder / "security.json").write_text(json.dumps({"defaultACLAccess": access, "clients": [], "roles": []}))
    (plugin,) = Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")
    lines = [
        "allow_anonymous true",
        f"plugin {plugin}",
        f"plugin_opt_config_file {folder / 'security.json'}",
    ]
    with Mosquitto(folder, lines).running() as broker:
        found = _refused(folder, f"mqtt://127.0.0.1:{broker.port}/shop/#")
    return _outcome("no right to subscribe", *found, "does not let us read")


def no_right_to_read(folder):
    """The broker grants the subscription, and keeps back what we may not read, as mosquitto's access lists do."""
    (folder / "acl").write_text("topic write shop/#\n")
    lines = ["allow_anonymous true", f"acl_file {folder / 'acl'}"]
    with Mosquitto(folder, lines).running() as broker:
        url = f"mqtt://127.0.0.1:{broker.port}/shop/#"
        with Process(folder, url, "--silence", "1") as recorder, Sender(broker):
            recorder.until(lambda: "permission to read" in recorder.errors.read_text(), "the hint")
            code = recorder.stop()
            said = recorder.errors.read_text().strip()
            no_file = not recorder.run.exists()
    hint = said.splitlines()[0]
    return Outcome(
        "subscribed, but no right to read (access list)",
        f"after 1 s: {hint}",
        "nothing: no recording was begun",
        code == 3 and no_file and "no item of the signal map was received" in said,
    )
