# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio

import numpy as np
import pytest

from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.connectors.paced import Paced
from freecad_camtwin.errors import InputError
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.run import read_run
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.signals.columns import to_columns
from freecad_camtwin.twin.signals.discovery import propose_signals
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from freecad_camtwin.twin.signals.signal_map import Meaning, Signal, SignalMap
from observing import everything, numbers, until, words


def table(tmp_path, text):
    path = tmp_path / "run.csv"
    path.write_text(text)
    return path


def test_a_table_of_text_is_numbers_and_words(tmp_path):
    path = table(
        tmp_path,
        "Time;power;execution\n2026-01-01T00:00:00Z;12.5;READY\n2026-01-01T00:00:01Z;;READY\n"
        "2026-01-01T00:00:02Z;14;ACTIVE\n",
    )
    found = everything(open_connector(f"csv:{path}"))
    assert numbers(found, "power") == ([1767225600, 1767225602], [12.5, 14])
    assert words(found, "execution") == ["READY", "ACTIVE"]
    active = next(i for i, each in enumerate(found) if isinstance(each, Event) and each.value == "ACTIVE")
    assert numbers(found[:active], "power")[1] == [12.5]  # a word stands before the row it is told in


def test_rows_that_fit_nothing_are_counted(tmp_path):
    path = table(tmp_path, "time,power\n1,2\nyesterday,3\n4\n5,nan\n6,7\n")
    connector = open_connector(f"csv:{path}")
    assert numbers(everything(connector), "power") == ([1, 6], [2, 7])
    assert connector.told.dropped == {"row without a time": 1, "row of another length": 1}
    assert connector.told.received == 5


def test_a_text_among_numbers_costs_that_number_alone(tmp_path):
    lines = [f"{row},{row},{100 + row},ACTIVE\n" for row in range(5000)]
    lines[0] = "0,n/a,n/a,1\n"
    lines[4500] = "4500,---,4600,2\n"
    connector = open_connector(f"csv:{table(tmp_path, 'time,x,power,state' + chr(10) + ''.join(lines))}")
    found = everything(connector)
    assert numbers(found, "x") == ([row for row in range(1, 5000) if row != 4500],) * 2
    assert numbers(found, "power")[1] == [100 + row for row in range(1, 5000)]
    assert words(found, "state") == ["1", "ACTIVE", "2", "ACTIVE"]
    assert connector.told.dropped == {"text among the numbers of x": 2, "text among the numbers of power": 1}


def test_a_column_stays_what_it_said_first_however_often_it_fails_later(tmp_path):
    power = [str(row) for row in range(4096)] + ["off"] * 4096 + ["7"]
    rows = "".join(f"{at},{value}\n" for at, value in enumerate(power))
    found = everything(open_connector(f"csv:{table(tmp_path, 'time,power' + chr(10) + rows)}"))
    assert numbers(found, "power")[1] == [*range(4096), 7]
    assert words(found, "power") == []


def test_a_long_table_comes_in_blocks_and_whole(tmp_path):
    path = table(tmp_path, "t,a\n" + "".join(f"{i},{i * 0.5}\n" for i in range(10_000)))
    found = everything(open_connector(f"csv:{path}"))
    assert len(found) > 1
    assert numbers(found, "a") == (list(range(10_000)), [i * 0.5 for i in range(10_000)])


def test_a_column_said_to_be_of_words_is(tmp_path):
    path = table(tmp_path, "t,program\n1,1001\n2,1001\n3,1002\n")
    found = everything(open_connector(f"csv:{path}", Options(words=frozenset({"program"}))))
    assert words(found, "program") == ["1001", "1002"]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_numbers_with_a_decimal_comma_are_read_where_the_separator_is_none(tmp_path, separator):
    text = "time;x;y;state\n1796038799,25;0,000000;-1,5e1;1,2,3\n1796038799,5; ,5 ;2.5;idle\n"
    found = everything(open_connector(f"csv:{table(tmp_path, text.replace(';', separator))}"))
    assert numbers(found, "x") == ([1796038799.25, 1796038799.5], [0, 0.5])
    assert numbers(found, "y")[1] == [-15, 2.5]
    assert words(found, "state") == ["1,2,3", "idle"]


@pytest.mark.parametrize("rows", ["yesterday;1\ntoday;2\n", "1.796.038,5;1\n;2\n3\n", ";1\n"])
def test_a_clock_of_which_no_row_can_be_read_is_named(tmp_path, rows):
    connector = open_connector(f"csv:{table(tmp_path, 'Time;x' + chr(10) + rows)}")
    with pytest.raises(InputError, match=r"no row of run\.csv has a valid time in its column 'Time' .*; write seconds"):
        everything(connector)


@pytest.mark.parametrize("text", ["", "power,load\n1,2\n", "\x00\x01\x02", "time\n"])
def test_a_file_that_is_no_table_is_refused_or_empty(tmp_path, text):
    path = table(tmp_path, text)
    if text == "time\n":
        assert everything(open_connector(f"csv:{path}")) == []
    else:
        with pytest.raises(InputError, match=r"run\.csv"):
            everything(open_connector(f"csv:{path}"))


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("ftp://mill", "must begin with one of"),
        ("run.csv", "must begin with one of"),
        ("csv:", "names no file"),
        ("csv:/nowhere/run.csv", "cannot be read"),
        ("replay:run.csv?speed=-1", "speed=-1 is not a speed"),
        ("replay:run.csv?speed=fast", "speed=fast is not a speed"),
        ("shdr://mill:99999", "is not a valid address"),
        ("shdr://.mill:7878", "is not a valid address"),
        (f"mqtt://{'a' * 64}/shop", "is not a valid address"),
        ("shdr://me:secret@mill:7878", "holds a password"),
    ],
)
def test_a_wrong_address_is_one_sentence(address, sentence):
    with pytest.raises(InputError, match=sentence) as raised:
        everything(open_connector(address))
    assert "secret" not in str(raised.value)


def test_a_recording_is_told_again(tmp_path):
    path = tmp_path / "run.camrun"
    time = np.arange(1000.0)
    with Recording.create(path, RecordingHeader(started=0.0, simulated=True)) as recording:
        recording.append(time, {"power": np.sin(time)}, [Event(500.0, "program", "A"), Event(2000.0, "program", "B")])
        recording.gap(700.0, 701.0, "cable")
    connector = open_connector(f"replay:{path}?speed=max")
    found = everything(connector)
    assert numbers(found, "power") == (list(time), list(np.sin(time)))
    assert words(found, "program") == ["A", "B"]
    assert words(found, GAP) == ["cable"]
    assert connector.told.simulated
    gap = next(i for i, each in enumerate(found) if isinstance(each, Event) and each.item == GAP)
    assert numbers(found[:gap], "power")[0][-1] == 700
    assert {item.name for item in asyncio.run(connector.offered())} == {"power", "program", GAP}


def test_a_recording_told_again_knows_what_it_knows_when_it_is_read(tmp_path):
    path = tmp_path / "run.camrun"
    rows = 20_000  # several chunks
    unknown = np.random.default_rng(0).integers(0, 400, (2, rows)) == 0
    power, x = np.where(np.cumsum(unknown, axis=1) % 2, np.nan, np.arange(rows))
    time = 1.7e9 + np.arange(rows) / 100
    states = [Event(float(at), "execution", f"STATE {at}") for at in time[::999]]
    with Recording.create(path, RecordingHeader(started=1.7e9)) as recording:
        recording.append(time, {"power": power, "x": x}, states)
        recording.gap(time[7000], time[7001], "cable")
    connector = open_connector(f"replay:{path}?speed=max")
    found = everything(connector)
    times = [at for each in found for at in (each.time if isinstance(each, Samples) else [each.time])]
    assert times == sorted(times)
    assert connector.told.received == rows
    columns = to_columns(propose_signals(asyncio.run(connector.offered())).signals, found)
    for name, expected in read_run(path).columns.values.items():
        np.testing.assert_array_equal(columns.values[name], expected)
    assert [word.value for word in columns.words if word.column == "execution"] == [state.value for state in states]


def test_a_late_row_of_a_recording_says_nothing_of_the_rows_after_it(tmp_path):
    path = tmp_path / "run.camrun"
    with Recording.create(path, RecordingHeader(started=0.0)) as recording:
        recording.append([1, 3, 2, 4, 5], {"power": [5, np.nan, 6, np.nan, 7]})
    signals = SignalMap((Signal("power", Meaning.SPINDLE_POWER),))
    columns = to_columns(signals, everything(open_connector(f"replay:{path}?speed=max")))
    np.testing.assert_array_equal(columns.time, [1, 3, 4, 5])
    np.testing.assert_array_equal(columns.values["power"], [5, np.nan, np.nan, 7])


def test_a_recording_in_which_nothing_is_known_is_told_again(tmp_path):
    path = tmp_path / "run.camrun"
    with Recording.create(path, RecordingHeader(started=0.0)) as recording:
        recording.append([1, 2, 3], {"power": [np.nan] * 3}, [Event(2.0, "program", "A")])
    connector = open_connector(f"replay:{path}?speed=max")
    found = everything(connector)
    assert words(found, "program") == ["A"]
    assert numbers(found, "power") == ([], [])
    assert connector.told.received == 3


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds


def replayed(path, speed):
    clock = Clock()
    paced = Paced(open_connector(f"csv:{path}"), speed, clock, clock.sleep)

    async def listen():
        return [(clock.now - 100.0, each) async for each in paced.observations()]

    return asyncio.run(listen())


def test_a_replay_tells_rows_when_they_are_due(tmp_path):
    path = table(tmp_path, "t,a\n" + "".join(f"{1000 + i / 100},{i}\n" for i in range(1000)))
    for now, each in replayed(path, 4.0):
        assert isinstance(each, Samples)
        assert now == pytest.approx((each.time[-1] - 1000) / 4, abs=0.021)
        assert np.ptp(each.time) / 4 < 0.02 + 1e-9


def test_a_replay_does_not_wait_through_a_night(tmp_path):
    path = table(tmp_path, "t,a\n0,1\n40000,2\n40001,3\n")
    assert [round(now, 6) for now, _ in replayed(path, 1.0)] == [0, 10, 11]


def test_a_replay_runs_by_the_clock(tmp_path):
    path = table(tmp_path, "t,a\n0,1\n10,2\n")
    found = asyncio.run(until(open_connector(f"replay:{path}?speed=1000"), lambda seen: False))
    assert numbers(found, "a")[1] == [1, 2]
