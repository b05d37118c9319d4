# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is written in line protocol reads back the same, and no batch is lost without a word."""

import gzip
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.errors import OutputError
from freecad_camtwin.store.influx import FileSink, HttpSink, LineWriter, export_influx
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.signals.observation import Event
from recordings import HEADER, seconds


class Listed:
    """A sink that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def send(self, lines: list[str]) -> None:
        self.lines += lines

    def close(self) -> None:
        pass


def parsed(line: str) -> tuple[str, dict[str, str], dict[str, str | float], int]:
    """Read one line, character by character, as the reference of the line protocol describes it."""
    parts, part, quoted, escaped = [[]], "", False, False
    for char in line:
        if escaped:
            part, escaped = part + char, False
        elif char == "\\":
            escaped = True
        elif char == '"' and (quoted or (len(parts) == 2 and part.endswith("\0"))):  # elsewhere it is a letter
            quoted, part = not quoted, part + char
        elif not quoted and char in ", ":
            parts[-1].append(part)
            part = ""
            parts += [[]] if char == " " else []
        elif not quoted and char == "=":
            part += "\0"  # the one equals sign that divides
        else:
            part += char
    parts[-1].append(part)
    (measurement, *tags), fields, (stamp,) = parts
    return measurement, dict(tag.split("\0") for tag in tags), dict(map(_field, fields)), int(stamp)


def _field(text: str) -> tuple[str, str | float]:
    key, value = text.split("\0")
    return key, value[1:-1] if value.startswith('"') else float(value)


def lines_of(time, columns, events=(), header=HEADER) -> list[str]:
    sink = Listed()
    with LineWriter(sink, header) as writer:
        writer.write(time, columns, events)
    assert writer.sent == len(sink.lines)
    return sink.lines


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1)


@given(words, words, words.filter(lambda name: name != "load"), st.floats())
def test_names_tags_and_numbers_read_back_as_they_were(machine, program, name, value):
    header = replace(HEADER, machine=machine, program=program)
    (line,) = lines_of([1.7e9], {"load": [52.3], name: [value]}, header=header)
    measurement, tags, fields, stamp = parsed(line)
    assert measurement == "camtwin"
    assert tags["machine"] == machine.replace("\\", "/")
    assert tags["program"] == program.replace("\\", "/")
    assert tags["simulated"] == "true"
    assert fields["load"] == 52.3
    if math.isfinite(value):
        assert fields[name.replace("\\", "/")] == value
    else:
        assert len(fields) == 1
    assert stamp == 1_700_000_000_000_000_000


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), words)
def test_words_read_back_and_stay_on_one_line(value, item):
    lines = lines_of([], {}, [Event(1.5, item, value), Event(2.5, item, None)])
    assert len(lines) == 1
    assert "\n" not in lines[0]
    measurement, tags, fields, stamp = parsed(lines[0])
    assert (measurement, stamp) == ("camtwin_event", 1_500_000_000)
    assert tags["item"] == item.replace("\\", "/")
    assert fields["value"] == value.replace("\n", " ").replace("\r", " ")


def test_unknown_values_have_no_field_and_unknown_rows_no_line():
    columns = {"load": [1, np.nan, np.nan, 4], "x": [np.nan, np.nan, np.inf, 4]}
    lines = lines_of([1.0, 2.0, 3.0, np.nan], columns, header=RecordingHeader(0, run="r"))
    assert lines == ["camtwin,run=r load=1.0 1000000000"]


def test_microseconds_survive():
    (line,) = lines_of([1_700_000_000.123457], {"x": [1]})
    assert line.endswith(" 1700000000123457000")


def test_a_file_takes_a_recording_line_by_line(tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append(seconds(12_000), {"load": np.arange(12_000)}, [Event(1.7e9, "EXECUTION", "ACTIVE")])
        recording.finish()
    assert export_influx(tmp_path / "run", FileSink(tmp_path / "run.lp")) == 12_001
    lines = (tmp_path / "run.lp").read_text().splitlines()
    assert [parsed(line)[2]["load"] for line in lines[:-1]] == list(range(12_000))
    assert parsed(lines[-1])[2] == {"value": "ACTIVE"}
    with pytest.raises(OutputError, match="cannot be written"):
        FileSink(tmp_path / "none" / "run.lp")


# ---- a server


class Server(HTTPServer):
    """Answers as it is told, and keeps what it accepted."""

    answers: list[tuple[int, dict[str, str]]]
    lines: list[str]
    asked: list[tuple[str, str | None]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))).decode()
        self.server.asked.append((self.path, self.headers["Authorization"]))
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        if status == 204:
            self.server.lines += body.splitlines()
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", "38")
        self.end_headers()
        if status != 204:
            self.wfile.write(b'{"message":\n "field type conflict"}    ')

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.answers, server.lines, server.asked = [], [], []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def sink_to(server: Server) -> HttpSink:
    return HttpSink(f"http://127.0.0.1:{server.server_port}/api/v2/write?org=shop&bucket=m", "secret", pause_s=0.01)


def test_a_server_gets_batches_with_the_token_and_every_line_once(server):
    with LineWriter(sink_to(server), HEADER) as writer:
        for start in range(0, 12_000, 1000):
            writer.write(seconds(1000, 1.7e9 + start), {"load": np.arange(start, start + 1000)})
    assert [parsed(line)[2]["load"] for line in server.lines] == list(range(12_000))
    assert server.asked == [("/api/v2/write?org=shop&bucket=m", "Token secret")] * 3


def test_a_busy_server_is_tried_again_and_a_batch_arrives_once(server):
    server.answers = [(503, {}), (429, {"Retry-After": "0"}), (503, {"Retry-After": "²"})]
    with LineWriter(sink_to(server), HEADER) as writer:
        writer.write(seconds(10), {"load": np.arange(10)})
    assert len(server.asked) == 4
    assert len(server.lines) == 10


@pytest.mark.parametrize("status", [400, 401, 302])
def test_a_refusal_is_told_at_once_without_the_token(server, tmp_path, status):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append(seconds(6000), {"load": np.arange(6000)})
        recording.finish()
    server.answers = [(204, {}), (status, {"Location": "/elsewhere"})]
    with pytest.raises(OutputError) as caught:
        export_influx(tmp_path / "run", sink_to(server))
    sentence = str(caught.value)
    place = f"http://127.0.0.1:{server.server_port}/api/v2/write"
    assert sentence.startswith(f"InfluxDB at {place} refused 1000 lines: {status}")
    assert sentence.endswith("; 5000 lines of run were accepted before")
    assert 'field type conflict"}' in sentence
    assert "secret" not in sentence
    assert "\n" not in sentence


def test_a_server_that_is_gone_gives_one_sentence(server):
    sink = HttpSink("http://127.0.0.1:1/write?u=me&p=secret", pause_s=0.001)
    with pytest.raises(OutputError, match=r"^InfluxDB at http://127.0.0.1:1/write did not take 1 lines in 4 tries: "):
        sink.send(["camtwin x=1.0 1"])
    with pytest.raises(OutputError, match="must begin with http"):
        HttpSink("file:///etc/passwd")


@pytest.mark.parametrize("token", ["secret\n", "\nsecret", "sec\r\nret", "secret²", "secret\x00"])
def test_a_token_that_is_none_is_refused_and_not_shown(token):
    with pytest.raises(OutputError, match="InfluxDB's token has a character") as caught:
        HttpSink("http://127.0.0.1:1/write", token)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize("place", ["[::1", "h:99999", "h:port", "", "h/bucket 1", "h/\u212b", "h\u2100", "h/\n"])
def test_an_address_that_is_none_is_refused_and_its_password_not_shown(place):
    with pytest.raises(OutputError, match="InfluxDB's address is invalid") as caught:
        HttpSink(f"http://{place}/write?p=secret")
    assert "secret" not in str(caught.value)
