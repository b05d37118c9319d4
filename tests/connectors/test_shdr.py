# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.connectors.protocol import Told
from freecad_camtwin.connectors.shdr import LineReader
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from observing import everything, numbers, until, words

LOG = Path(__file__).parent.parent / "data/mtconnect/okuma.shdr"


def told_by(path):
    """Return the numbers of each item as a plain reading of the file finds them, apart from assets."""
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split("|")
        if not fields[0].startswith("20") or fields[1].startswith("@"):
            continue
        for item, text in zip(fields[1::2], fields[2::2], strict=False):
            try:
                found.setdefault(item, []).append(float(text))
            except ValueError:
                continue
    return found


def check_log(path):
    connector = open_connector(f"shdr:{path}")
    found = everything(connector)
    expected = told_by(path)
    for item in ("X1load", "Z1load", "p1Fact", "S1speed"):
        assert sorted(numbers(found, item)[1]) == sorted(expected.get(item, [])), item
    assert "IMTS-2022-2-HOB.MIN" in words(found, "pprogram")
    assert not connector.told.dropped
    return found, expected


def test_the_log_of_a_real_okuma_is_told_whole():
    found, expected = check_log(LOG)
    assert len(expected["X1load"]) > 20
    times = [time for each in found for time in (each.time if isinstance(each, Samples) else [each.time])]
    assert np.ptp(times) > 10


def test_the_whole_log_of_a_real_okuma(shared_data):
    _, expected = check_log(shared_data / "logs/mtconnect/demo_agent_okuma.txt")
    assert len(expected["p1Fact"]) > 1500


def test_assets_are_no_observations():
    found = everything(open_connector(f"shdr:{LOG}"))
    items = {item for each in found for item in (each.items if isinstance(each, Samples) else [each.item])}
    assert not [item for item in items if item.startswith("@") or "CuttingTool" in item]


def test_a_condition_is_its_level_and_text():
    reader = LineReader(Told())
    line = "2022-08-08T13:51:34Z|spindle|fault|77|||spindle overloaded"
    assert [value for _, _, value in reader.readings(line)] == ["FAULT 77 spindle overloaded"]


def test_a_program_with_a_number_for_a_name_is_a_word():
    reader = LineReader(Told(), frozenset({"program"}))
    assert [value for _, _, value in reader.readings("1|program|1001|load|12")] == ["1001", 12.0]


@given(st.text(max_size=200))
def test_garbage_is_dropped_and_counted(line):
    told = Told()
    readings = LineReader(told).readings(line, arrival=1.0)
    assert readings or not told.received or told.dropped or "@" in line


def test_a_text_that_is_no_log_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear machine,\nhow are you?\n")
    with pytest.raises(InputError, match=r"letter\.txt has no SHDR line"):
        everything(open_connector(f"shdr:{tmp_path / 'letter.txt'}"))


async def talk_with_adapter():
    """An adapter that says one line, hangs up, and says another to who calls again."""
    calls = []

    async def answer(_incoming, outgoing):
        calls.append(1)
        outgoing.write(f"2022-08-08T13:51:3{len(calls)}Z|load|{len(calls)}|execution|ACTIVE\n".encode())
        await outgoing.drain()
        outgoing.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        connector = open_connector(f"shdr://127.0.0.1:{port}", Options(patience=60))
        return await until(connector, lambda seen: len(numbers(seen, "load")[1]) == 2)


def test_an_adapter_that_hangs_up_is_called_again():
    found = asyncio.run(talk_with_adapter())
    assert numbers(found, "load")[1] == [1, 2]
    (gap,) = [each for each in found if isinstance(each, Event) and each.item == GAP]
    assert "closed the connection" in gap.value
