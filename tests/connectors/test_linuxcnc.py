# SPDX-License-Identifier: LGPL-2.1-or-later
"""LinuxCNC's poller is heard, asked, lost and found again: a real controller, and stand-ins for what it never does."""

import asyncio
import math
import os
import shlex
import signal
import sys
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from controllers.linuxcnc.harness import CLOCK, ControllerError, unavailable
from controllers.linuxcnc.harness import Controller as Fenced
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.connectors.linuxcnc import poller
from freecad_camtwin.connectors.linuxcnc.controller import ENVIRONMENT, LINUXCNC_ITEMS, PolledController, PollerSettings
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.twin.signals.discovery import propose_signals
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from freecad_camtwin.twin.signals.signal_map import Meaning

#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 60
PROGRAM = """G21 G90 G54
G10 L2 P1 X10 Y20 Z-5 R90
G92 X1
G64 P0.01
G0 Z5
G1 X20 F3000
G1 Y30
G4 P0.2
G92.1
G10 L2 P1 X0 Y0 Z0 R0
M2
"""
HELLO = '{"hello": {"version": "2.9", "machine": "mill", "items": ["work.x", "motion_line"]}}'


@pytest.fixture
def fenced():
    """A real controller, ten times as fast as life."""
    reason = unavailable()
    if reason:
        pytest.fail(f"{reason}: make test installs it")
    with Fenced(speed=10) as running:
        yield running


def stand_in(*lines, then="import sys; sys.stdin.read()"):
    """Return a command that says some lines in place of the poller."""
    return [sys.executable, "-c", f"for line in {lines!r}: print(line, flush=True)\n{then}", "poller"]


def heard(controller, until, limit=PATIENCE):
    """Listen until ``until(observations)``, and return them."""

    async def listen():
        found = []
        async with aclosing(controller.observations()) as told:
            async for observation in told:
                found.append(observation)
                if until(found):
                    break
        return found

    return asyncio.run(asyncio.wait_for(listen(), limit))


def words(observations, item):
    return [each.value for each in observations if isinstance(each, Event) and each.item == item]


def column(observations, name):
    blocks = [each for each in observations if isinstance(each, Samples)]
    return np.concatenate([each.values[:, each.items.index(name)] for each in blocks])


def test_a_run_is_told_from_the_state_before_it_to_its_end(fenced, tmp_path):
    program = tmp_path / "shifted.ngc"
    program.write_text(PROGRAM)
    connector = PolledController(PollerSettings(200.0, {"clock": CLOCK}, (10.0, 150.0)), Options(), fenced.poller())
    found, answers = [], []

    async def listen():
        running = None
        async with aclosing(connector.observations()) as told:
            async for observation in told:
                found.append(observation)
                if running is None and isinstance(observation, Samples):
                    asked = (100.0, 151.0, math.nan, 60.0)
                    answers.extend(asyncio.create_task(connector.ask_feed_override(each)) for each in asked)
                    running = asyncio.create_task(asyncio.to_thread(fenced.run, program))
                if running is not None and running.done():
                    break
        return running.result(), [answer.result() for answer in answers]

    run, answered = asyncio.run(asyncio.wait_for(listen(), PATIENCE))
    assert [each.item for each in found[:4]] == ["availability", "program", "execution", "mode"]
    assert "ACTIVE" in words(found, "execution")
    assert "shifted.ngc" in words(found, "program")
    assert 60.0 in set(column(found, "feed_override"))
    assert answered == [None, "151 % is outside of 10 to 150 %", "nan is not a finite number", None]
    # What the program calls X20 Y30 Z5, and where that is under its G10, R90 and G92.
    work = np.stack([column(found, f"work.{axis}") for axis in "xyz"], axis=1)
    machine = np.stack([column(found, f"machine.{axis}") for axis in "xyz"], axis=1)
    assert run.position[-1] == pytest.approx(machine[-1], abs=0.05)
    there = np.linalg.norm(machine - machine[-1], axis=1) < 0.01
    assert np.abs(work[there] - (20.0, 30.0, 5.0)).max(axis=1).min() < 1e-6
    assert set(column(found, "motion_line")) >= {6.0, 7.0}
    # Every poll's time and the servo cycles agree, at ten times the speed of life too.
    clock, time = column(found, "clock"), np.concatenate([e.time for e in found if isinstance(e, Samples)])
    assert np.polyfit(clock, time, 1)[0] == pytest.approx(1.0, abs=0.02)


def test_a_controller_that_starts_again_leaves_a_gap_and_its_new_state(tmp_path):
    place = tmp_path / "poller.sh"
    connector = PolledController(PollerSettings(), Options(), ["sh", str(place)])

    def started():
        fenced = Fenced(speed=10)
        fenced.start()
        place.write_text(f'exec {shlex.join(fenced.poller())} "$@"\n')
        return fenced

    async def listen():
        running, found = await asyncio.to_thread(started), []
        try:
            async with aclosing(connector.observations()) as told:
                async for observation in told:
                    found.append(observation)
                    said = items(found)
                    if said[-1] == GAP:
                        running = await asyncio.to_thread(started)
                    elif said[-1] == "rows" and GAP in said:
                        break
                    elif said[-1] == "rows":
                        await asyncio.to_thread(running.stop)  # safe to call twice
        finally:
            await asyncio.to_thread(running.stop)
        return found

    found = asyncio.run(asyncio.wait_for(listen(), PATIENCE))
    told = items(found)
    assert told.count("availability") == 2
    assert told.index(GAP) < len(told) - 1 - told[::-1].index("availability")
    assert words(found, GAP)[0] in {"LinuxCNC was shut down", "LinuxCNC's poller ended by itself (exit code 137)"}


def items(observations):
    return [each.item if isinstance(each, Event) else "rows" for each in observations]


def test_a_controller_does_not_notice_that_its_poller_died(fenced, tmp_path):
    program = tmp_path / "long.ngc"
    program.write_text("G21 G90\nG1 X50 F1500\nX0\nM2\n")

    async def listen():
        connector = PolledController(PollerSettings(pins={"clock": CLOCK}), Options(), fenced.poller())
        running, is_killed = None, False
        async with aclosing(connector.observations()) as told:
            async for observation in told:
                if running is None:
                    running = asyncio.create_task(asyncio.to_thread(fenced.run, program))
                elif isinstance(observation, Samples) and observation.values[-1, 4] > 0 and not is_killed:
                    os.kill(connector._process.pid, signal.SIGKILL)
                    is_killed = True
                elif isinstance(observation, Samples) and is_killed:
                    break
        return await running

    run = asyncio.run(asyncio.wait_for(listen(), PATIENCE))
    assert run.position[-1] == pytest.approx((0.0, 0.0, 20.0), abs=0.05)
    assert run.seconds == pytest.approx(4.0, abs=0.2)


def test_a_pin_that_does_not_exist_is_named(fenced):
    connector = PolledController(
        PollerSettings(pins={"spindle_load": "no.such-pin"}), Options(patience=0.0), fenced.poller()
    )
    with pytest.raises(ConnectorError, match=r"HAL has no pin no\.such-pin"):
        heard(connector, bool)


def test_who_has_another_home_than_the_controller_is_told(fenced):
    started = fenced.poller()
    elsewhere = ["/usr/bin/env", "HOME=/nowhere", *started[-2:]]
    connector = PolledController(PollerSettings(), Options(patience=0.0), [*started[:-2], *elsewhere])
    with pytest.raises(ConnectorError, match=r"tool table is not in /nowhere: run as the user who runs LinuxCNC"):
        heard(connector, bool)


def test_where_no_controller_runs_that_is_said():
    connector = PolledController(PollerSettings(), Options(patience=0.0))
    with pytest.raises(ConnectorError, match=r"LinuxCNC does not run here|has no LinuxCNC modules|cannot be started"):
        heard(connector, bool)


def test_rows_and_words_keep_their_order():
    lines = (HELLO, '{"row": [1.0, 5.0, 7]}', '{"word": [1.5, "execution", "ACTIVE"]}', '{"row": [2.0, null, 8]}')
    found = heard(PolledController(PollerSettings(), Options(), stand_in(*lines)), lambda seen: len(seen) == 3)
    first, word, second = found
    assert (first.time[0], *first.values[0]) == (1.0, 5.0, 7.0)
    assert word == Event(1.5, "execution", "ACTIVE")
    assert np.isnan(second.values[0, 0])


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (stand_in("no JSON"), "sends invalid lines"),
        (stand_in('{"row": "many"}'), "sends invalid lines"),
        (stand_in(HELLO, then="raise SystemExit(3)"), r"ended by itself \(exit code 3\)"),
        (stand_in(then="print('x' * 3_000_000, end='', flush=True); import sys; sys.stdin.read()"), "invalid lines"),
        (stand_in('{"end": "LinuxCNC was shut down"}'), "LinuxCNC was shut down"),
        (["no-such-program"], "no-such-program"),
    ],
)
def test_what_is_no_poller_is_a_sentence(command, reason):
    with pytest.raises(ConnectorError, match=reason):
        heard(PolledController(PollerSettings(), Options(patience=0.0), command), bool)


def test_a_silent_poller_is_a_gap():
    connector = PolledController(PollerSettings(), Options(quiet=0.2), stand_in(HELLO, '{"row": [1.0, 5.0, 7]}'))
    found = heard(connector, lambda seen: isinstance(seen[-1], Event))
    assert found[-1].value == "LinuxCNC's poller was silent for 0.2 s"


def test_the_feed_override_is_left_alone_unless_it_was_allowed():
    async def ask(connector):
        return await connector.ask_feed_override(80.0)

    assert (
        asyncio.run(ask(PolledController(PollerSettings(), Options())))
        == "the address does not allow setting its feed override"
    )
    assert (
        asyncio.run(ask(PolledController(PollerSettings(bounds=(50.0, 120.0)), Options())))
        == "LinuxCNC is not connected"
    )


def test_an_address_says_what_is_wanted(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "ssh mill python3 poller.py")
    connector = open_connector(
        "linuxcnc:?rate=200&spindle_power=vfd.power&hal=motion.adaptive-feed&feed_override=50:120"
    )
    wanted = {"motion.adaptive-feed": "motion.adaptive-feed", "spindle_power": "vfd.power"}
    assert connector._wanted == PollerSettings(200.0, wanted, (50.0, 120.0))
    assert connector._start == ["ssh", "mill", "python3", "poller.py"]
    assert [item.unit for item in asyncio.run(connector.offered()) if item.name == "spindle_power"] == ["W"]


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("linuxcnc:?rate=0", "rate=0 is not a rate"),
        ("linuxcnc:?rate=fast", "rate=fast is not a rate"),
        ("linuxcnc:?feed_override=120:50", "is not a range"),
        ("linuxcnc:?feed_override=50", "is not a range"),
        ("linuxcnc:?speed=3", "has no parameter 'speed'"),
        ("linuxcnc:?hal=a;b", "names of HAL pins"),
        ("linuxcnc:?rate", "is not a valid address"),
        ("linuxcnc://mill", "names a host"),
    ],
)
def test_an_address_that_says_nothing_is_refused(address, complaint):
    with pytest.raises(InputError, match=complaint):
        open_connector(address)


def test_what_it_offers_makes_its_own_signal_map():
    proposal = propose_signals(LINUXCNC_ITEMS)
    told = {signal.meaning: signal.item for signal in proposal.signals.signals}
    assert proposal.signals.coordinates == "work"
    assert [told[Meaning(f"POSITION_{axis}")] for axis in "XYZ"] == ["work.x", "work.y", "work.z"]
    assert told[Meaning.LINE_NUMBER] == "motion_line"
    assert told[Meaning.FEED_OVERRIDE] == "feed_override"


def test_numbers_are_millimetres_on_an_inch_machine():
    spindle = {"override": 1.0, "speed": 1000.0}
    status = SimpleNamespace(
        linear_units=1 / 25.4, spindle=[spindle], actual_position=(1.0, 2.0, 3.0), g5x_offset=(0.5, 0.0, 0.0),
        tool_offset=(0.0, 0.0, 1.0), rotation_xy=0.0, g92_offset=(0.0, 0.0, 0.0), feedrate=0.5, rapidrate=1.0,
        tool_in_spindle=2, axis_mask=0b101,
    )  # fmt: skip
    pins = {poller.LINE: 4, poller.SPEED: 0.1, poller.POSITION[0]: 1.0, poller.POSITION[2]: 3.0}
    machine = object.__new__(poller.RunningLinuxcnc)
    machine.status, machine.pins, machine.hal = status, [], SimpleNamespace(get_value=pins.__getitem__)
    row = dict(zip(poller.NUMBERS, machine.numbers(), strict=True))
    assert [row[f"work.{axis}"] for axis in "xyz"] == pytest.approx([12.7, 0.0, 50.8])  # a lathe has no Y
    assert (row["feed"], row["feed_override"], row["motion_line"]) == pytest.approx((2.54, 50.0, 4))


def test_poller_and_controller_name_the_same_items():
    state = ("availability", "program", "execution", "mode")
    assert {item.name for item in LINUXCNC_ITEMS} == {*poller.NUMBERS, *state}


def test_the_poller_needs_nothing_but_the_standard_library():
    assert Path(poller.__file__).read_text(encoding="utf-8").count("freecad_camtwin") == 0


def test_the_fence_says_when_it_is_down():
    with pytest.raises(ControllerError, match="not running"):
        Fenced().inside("true")
