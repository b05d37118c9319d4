# SPDX-License-Identifier: LGPL-2.1-or-later
"""The virtual machine runs the program as predicted, but for what it hides; and says so over its publishers."""

import asyncio
import time
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.errors import InputError
from freecad_camtwin.publishers import Command, open_publisher
from freecad_camtwin.twin.alignment.align import align
from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.cycle_time.motion import schedule
from freecad_camtwin.twin.package.package import make_package
from freecad_camtwin.twin.shop.machine import Overheads, read_machine
from freecad_camtwin.twin.shop.material import find_material
from freecad_camtwin.twin.signals.columns import to_columns
from freecad_camtwin.twin.signals.discovery import propose_signals
from freecad_camtwin.twin.signals.observation import Event, Samples
from freecad_camtwin.virtual_machine.machine import VIRTUAL_ITEMS, VirtualMachine, spoken
from freecad_camtwin.virtual_machine.motion import MOST_OVERRIDE
from freecad_camtwin.virtual_machine.show import Pace, Show
from freecad_camtwin.virtual_machine.truth import Truth
from observing import PATIENCE, numbers, until, words
from plan_jobs import job_of, passes
from posted import post

CLEAN = Truth(wear=0.0, noise=0.0, lag=0.0, dropouts=0.0)
BEGIN = 1767225600.0


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    mill = structs.replace(read_machine("hobby_mill"), overheads=Overheads(spindle=0.5))
    analysis = analyze(job_of(passes(rows=3)), machine=mill, cell=0.5)
    path = tmp_path_factory.mktemp("posted") / "part.ngc"
    path.write_text(post(analysis.job.toolpath, inches=False, decimals=4, numbered=True)[0])
    return make_package(analysis, path)


def run(package, truth=CLEAN, commands=(), rate=100.0):
    """Run a program to its end; ``commands``: (machine second, name, value)."""
    machine = VirtualMachine(package, truth, rate=rate, begin=BEGIN)
    told = machine.greeting()
    machine.start()
    waiting = list(commands)
    while not machine.is_over:
        while waiting and machine.time - BEGIN >= waiting[0][0]:
            _, name, value = waiting.pop(0)
            told.append(machine.obey(Command(name, value, "test")))
        told += machine.advance()
        assert machine.time - BEGIN < 1000
    return told, machine


def column(told, name):
    times, values = numbers(told, name)
    return np.array(times) - BEGIN, np.array(values)


def test_it_moves_as_the_schedule_of_its_machine_says(package):
    told, _ = run(package)
    timed = schedule(package.lines.program, package.machine)
    times, _ = column(told, "x")
    np.testing.assert_allclose(np.diff(times), 0.01, atol=1e-6)
    points = np.stack([column(told, axis)[1] for axis in "xyz"], axis=1)
    np.testing.assert_allclose(points, timed.position(times), atol=0.0006)
    assert timed.total <= times[-1] <= timed.total + 0.2
    move, _ = timed.travelled(times)
    at, line = column(told, "line")
    np.testing.assert_array_equal(line, package.lines.program.line[move][np.isin(times, at)])
    _, speed = column(told, "feed")
    assert speed.max() <= timed.reachable.max() * 1.001
    assert words(told, "execution") == ["READY", "ACTIVE", "PROGRAM_COMPLETED"]
    assert words(told, "program") == [package.program]


def test_power_is_the_predicted_one_times_what_it_hides(package):
    found = {}
    for factor in (1.0, 1.3):
        told, _ = run(package, replace(CLEAN, material=factor))
        columns = to_columns(propose_signals(VIRTUAL_ITEMS).signals, told)
        found[factor] = columns.column("power"), align(package, columns).predicted("power"), columns.column("feed")
    machine = package.machine
    (speed,) = set(column(told, "n_rpm")[1]) - {0.0}
    assert speed == machine.spindle.n_max_rpm  # the program asks for more
    idle = machine.spindle.idle_power
    power, predicted, feed = found[1.0]
    steady = (predicted > 0) & (np.abs(feed - 10.0) < 1e-6)
    assert steady.sum() > 100
    np.testing.assert_allclose(power[steady], idle + predicted[steady] / machine.spindle.efficiency, rtol=0.02)
    np.testing.assert_allclose((found[1.3][0] - idle)[steady], 1.3 * (power - idle)[steady], atol=1e-6)


def test_a_tool_that_cuts_wears(package):
    fresh, worn = (run(package, replace(CLEAN, wear=wear))[0] for wear in (0.0, 0.6))
    (_, before), (_, after) = column(fresh, "power"), column(worn, "power")
    cutting = before > before.min() + 1.0
    ratio = (after[cutting] - before.min()) / (before[cutting] - before.min())
    assert ratio[:50].max() < 1.02
    assert ratio[-1] == ratio.max()
    assert ratio[-1] == pytest.approx(1 + 0.6 * cutting.sum() / 100 / 60, rel=0.05)


def test_the_sensor_lags_is_noisy_and_falls_silent_and_a_seed_repeats_it(package):
    truth = Truth(material=1.2, lag=0.3, noise=0.01, dropouts=30.0, seed=3)
    first, again, other = (run(package, each)[0] for each in (truth, truth, replace(truth, seed=4)))
    (times, power), (_, same), (_, different) = (column(told, "power") for told in (first, again, other))
    np.testing.assert_array_equal(power, same)
    assert len(power) != len(different) or not np.array_equal(power, different)
    total = len(column(first, "x")[0])
    assert 0.02 * total < total - len(times) < 0.9 * total
    known = to_columns(propose_signals(VIRTUAL_ITEMS).signals, first).column(
        "power"
    )  # where it is silent, what it said last does not hold
    assert np.isfinite(known).sum() == len(times)
    clean = column(run(package, replace(CLEAN, material=1.2))[0], "power")[1]
    rise = int(np.argmax(np.diff(clean)))
    slow = column(run(package, replace(CLEAN, material=1.2, lag=0.3))[0], "power")[1]
    step = clean[rise + 1] - clean[rise]
    assert slow[rise + 1] - slow[rise] < 0.1 * step
    assert slow[rise + 30] - slow[rise] == pytest.approx((1 - np.exp(-1)) * (clean[rise + 30] - clean[rise]), rel=0.25)


def test_it_obeys_a_feed_override_and_refuses_what_it_cannot_do(package):
    plain, _ = run(package)
    commands = [(1.0, "feed_override", 50), (2.0, "feed_override", 0), (3.0, "feed_override", 50)]
    commands += [(3.5, "feed_override", 900), (3.5, "spindle", 1), (4.0, "feed_override", 100)]
    told, machine = run(package, commands=commands)
    times, speed = column(told, "feed")
    held = (times > 2.2) & (times < 2.9)
    assert (speed[held] == 0).all()
    x = column(told, "x")[1]
    assert np.ptp(x[held]) == 0
    # It is nowhere between two samples that it could not have come by at its top speed: no jump where it was turned.
    points = np.stack([column(told, axis)[1] for axis in "xyz"], axis=1)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    whole = np.stack([column(plain, axis)[1] for axis in "xyz"], axis=1)
    assert steps.max() <= np.linalg.norm(np.diff(whole, axis=0), axis=1).max() + 0.002
    assert times[-1] > column(plain, "x")[0][-1] + 1.0
    assert set(column(told, "feed_override")[1]) == {100.0, 50.0, 0.0}
    assert words(told, "execution") == ["READY", "ACTIVE", "FEED_HOLD", "ACTIVE", "PROGRAM_COMPLETED"]
    assert len(machine.refused) == 2
    heard = words(told, "command")
    assert heard[0] == "feed_override 50 by test: done"
    assert heard[4] == "spindle 1 by test: it has no spindle"


def test_at_half_the_feed_a_cut_draws_less_power_by_the_exponent_of_its_material(package):
    steel = find_material("C45")
    told, machine = run(replace(package, material=steel), commands=[(0.0, "feed_override", 50)])
    assert machine.refused == []
    columns = to_columns(propose_signals(VIRTUAL_ITEMS).signals, told)
    spindle = package.machine.spindle
    net = (columns.column("power") - spindle.idle_power) * spindle.efficiency
    predicted = align(package, columns).predicted("power")
    steady = (predicted > 0) & (np.abs(columns.column("feed") - 5.0) < 1e-6)
    assert steady.sum() > 100
    # Kienzle: a chip half as thick has a specific cutting force that is 2^mc times as large.
    np.testing.assert_allclose(net[steady], predicted[steady] * 0.5 ** (1 - steel.mc), rtol=0.02)


@pytest.mark.parametrize(("number", "told_as"), [(7, 7.0), (0, 1.0)])
def test_a_tool_without_a_number_is_told_by_its_place_in_the_list(package, number, told_as):
    tools = tuple(replace(tool, number=number) for tool in package.job.tools)
    told, _ = run(replace(package, job=replace(package.job, tools=tools)))
    assert set(column(told, "tool")[1]) == {told_as}


def test_a_move_in_the_first_line_of_a_program_has_a_line(package):
    program = package.lines.program
    first = replace(program, line=program.line - program.line.min() + 1)
    told, _ = run(replace(package, lines=replace(package.lines, program=first)))
    assert column(told, "line")[1].min() == 1


def test_an_override_may_be_as_low_and_as_high_as_is_said_and_no_further(package):
    def refusals(*values):
        machine = VirtualMachine(package, CLEAN, begin=BEGIN)
        for value in values:
            machine.obey(Command("feed_override", value, "test"))
        return len(machine.refused)

    assert refusals(0, 100 * MOST_OVERRIDE) == 0
    assert refusals(-1, 100 * MOST_OVERRIDE + 1) == 2


def test_what_it_says_means_itself():
    found = propose_signals(VIRTUAL_ITEMS)
    assert {signal.item for signal in found.signals.signals} == {item.name for item in VIRTUAL_ITEMS} - {"command"}
    bare = propose_signals(
        [replace(item, type="", unit="", sub_type="", component="") for item in VIRTUAL_ITEMS]
    ).signals
    meanings = {signal.item: signal.meaning for signal in found.signals.signals}
    for signal in bare.signals:  # as a listener hears it over MQTT, where only names are told
        assert meanings[signal.item] == signal.meaning
    assert {"x", "y", "z", "power", "line", "execution"} <= {signal.item for signal in bare.signals}


def test_a_package_without_a_machine_is_refused(package):
    with pytest.raises(InputError, match="names no machine"):
        VirtualMachine(replace(package, machine=None), begin=BEGIN)


def test_a_show_is_heard_whole_in_machine_time_and_says_that_it_is_simulated(package):
    async def play():
        said = spoken(package)
        show = Show(package, Truth(seed=1), Pace(speed=30.0, lead=0.1, tail=0.05))
        publisher = open_publisher("mtconnect+http://127.0.0.1:0", said)
        is_open, is_heard = asyncio.Event(), asyncio.Event()

        async def ready():
            is_open.set()
            await is_heard.wait()

        playing = asyncio.create_task(show.run([publisher], ready))
        await is_open.wait()
        connector = open_connector(publisher.address, Options(patience=PATIENCE))

        def enough(seen):
            is_heard.set()  # the agent's state was told: somebody listens
            return "PROGRAM_COMPLETED" in words(seen, "execution")

        seen = await until(connector, enough)
        return seen, connector, await playing, show

    seen, connector, shown, show = asyncio.run(play())
    assert connector.told.simulated
    times, x = numbers(seen, "x")
    program = show.machine.progress.predicted
    ran = [each.time for each in seen if isinstance(each, Event) and each.item == "execution"]
    assert ran[-1] - ran[-2] == pytest.approx(program, abs=0.25)
    assert max(times) <= time.time() + 1
    assert len(x) > 0.5 * program * 100  # it does not move while it dwells
    assert shown.rows >= program * 100
    assert {"power", "line"} <= {name for each in seen if isinstance(each, Samples) for name in each.items} | {"line"}
