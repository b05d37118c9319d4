# SPDX-License-Identifier: LGPL-2.1-or-later
"""What differs between systems: names of files, line ends, how processes end, memory, files that are open elsewhere.

The branches for Windows are run here with what Windows would answer; Windows itself is in docs/compatibility.md.
"""

import asyncio
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from calling import PROGRAM, STOCK, TOOL, camtwin, here, one_sentence
from freecad_camtwin.cli.child_process import crash_name, end_with_children, group_options
from freecad_camtwin.cli.connecting import until_interrupted
from freecad_camtwin.cli.outputs import Outputs
from freecad_camtwin.errors import OutputError
from freecad_camtwin.twin.base import files
from freecad_camtwin.twin.cut.height_field import available_memory

FOLDER = "Fräsen für Łódź 工件"
#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 60
MATERIAL = ("--material=6061", "--machine=hobby_mill", "--cell=0.5")
CRLF = PROGRAM.replace("\n", "\r\n").encode()


@pytest.fixture
def folder(tmp_path):
    """A folder with blanks, umlauts and letters that no code page of eight bits has together."""
    path = tmp_path / FOLDER
    path.mkdir()
    return path


def optimized(folder):
    """Optimize a program with CRLF in ``folder``; return what was written."""
    (folder / "Nut ä.ngc").write_bytes(CRLF)
    called = here("optimize", "Nut ä.ngc", TOOL, STOCK, *MATERIAL, "-o", "schneller ß.ngc", "--plan=plan é.json",
                  "--html=Bericht ö.html", cwd=folder)  # fmt: skip
    assert called.code == 0, called.err
    return (folder / "schneller ß.ngc").read_bytes()


def test_files_with_blanks_and_umlauts_are_read_and_written(folder):
    optimized(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "Bericht ö.html", "Nut ä.ngc", "plan é.json", "schneller ß.ngc",
    ]  # fmt: skip
    page = (folder / "Bericht ö.html").read_text(encoding="utf-8")
    assert "Nut ä" in page


def test_a_program_keeps_its_line_ends_when_its_feeds_change(folder):
    text = optimized(folder)
    assert text != CRLF
    assert text.count(b"\n") == text.count(b"\r") == text.count(b"\r\n")
    assert text.startswith(CRLF[: CRLF.index(b"G1")])


def test_a_document_with_blanks_and_umlauts_goes_through_freecad(folder, native):
    document = folder / "Platte ü.FCStd"
    shutil.copy(native, document)
    called = here("optimize", document, *MATERIAL, "--tool=reach=20", "--limit=h-ex-max=0.03", "-o",
                  folder / "besser ö.FCStd", "--post=linuxcnc", "--gcode", folder / "besser ö.ngc")  # fmt: skip
    assert called.code == 0, called.err
    again = here("analyze", folder / "besser ö.FCStd", *MATERIAL, "--tool=reach=20", "--json=-")
    assert json.loads(again.out)["input"]["path"].endswith("besser ö.FCStd")
    assert (folder / "besser ö.ngc").stat().st_size > 0


def test_a_process_with_an_eight_bit_code_page_prints_all_it_can(folder):
    (folder / "slot.ngc").write_bytes(CRLF)
    words = ("analyze", folder / "slot.ngc", TOOL, STOCK, *MATERIAL, f"--json={folder / 'ö.json'}")
    called = camtwin(*words, PYTHONUTF8="0", PYTHONIOENCODING="cp1252:strict", LC_ALL="C.UTF-8")
    assert called.code == 0, called.err
    assert "Traceback" not in called.err
    assert json.loads((folder / "ö.json").read_text(encoding="utf-8"))["input"]["path"] == str(folder / "slot.ngc")


def test_freecads_own_variables_of_the_user_do_not_reach_the_child(native, tmp_path):
    """FREECAD_USER_DATA would have the child read and write the user's own settings."""
    mine = tmp_path / "mine"
    mine.mkdir()
    variables = dict.fromkeys(("FREECAD_USER_HOME", "FREECAD_USER_DATA", "FREECAD_USER_TEMP"), str(mine))
    called = here("cycle-time", native, "--machine=hobby_mill", **variables)
    assert called.code == 0, called.err
    assert list(mine.iterdir()) == []


def test_a_child_ends_together_with_what_it_started(tmp_path):
    """The shell is the child, and its sleep is what a FreeCAD might start."""
    script = "sleep 600 & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True, **group_options()) as child:
        started = int(child.stdout.readline())
        end_with_children(child)
        assert child.returncode == -signal.SIGKILL
        assert child.stdout.read() == ""  # the end of the pipe: nobody has it open any more
    with pytest.raises(ProcessLookupError):
        _alive(started)


def _alive(process):
    """Raise ProcessLookupError where a process has ended, be it that nobody has asked for its exit code yet."""
    os.kill(process, 0)
    with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
        if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
            raise ProcessLookupError


def test_windows_ends_the_tree_of_a_child(monkeypatch):
    calls = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200, raising=False)
    monkeypatch.setattr(subprocess, "run", lambda words, **_: calls.append(words))
    child = SimpleNamespace(
        pid=4711,
        poll=lambda: None,
        terminate=lambda: calls.append("terminate"),
        wait=lambda: calls.append("wait"),
    )
    assert group_options() == {"creationflags": 0x200}
    end_with_children(child)
    assert calls == [["taskkill", "/F", "/T", "/PID", "4711"], "terminate", "wait"]


def test_windows_without_taskkill_ends_at_least_the_child(monkeypatch):
    def missing(*_words, **_options):
        raise FileNotFoundError("taskkill")

    calls = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "run", missing)
    ended = SimpleNamespace(pid=1, poll=lambda: None, terminate=lambda: calls.append("terminate"), wait=lambda: None)
    end_with_children(ended)
    assert calls == ["terminate"]


@pytest.mark.parametrize(
    ("code", "name"),
    [(-signal.SIGSEGV, "SIGSEGV"), (0xC0000005, "exception 0xC0000005"), (0, None), (1, None), (3, None)],
)
def test_a_crash_has_the_name_that_its_system_gives_it(code, name):
    assert crash_name(code) == name


def in_a_thread(number):
    """Give a signal to another thread than the loop's, as macOS may do."""
    threading.Timer(0.05, signal.raise_signal, [number]).start()


def from_outside(number):
    """Give a signal to the process; Linux hands it to the main thread, where Windows runs its handlers, too."""
    threading.Timer(0.05, os.kill, [os.getpid(), number]).start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("send", [in_a_thread, from_outside])
def test_the_first_signal_asks_the_work_to_end_and_the_handlers_come_back(send, number):
    interrupted(send, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_event_loop_without_signal_handlers_as_on_windows_ends_by_signals_too(monkeypatch, number):
    def unable(*_):
        raise NotImplementedError

    monkeypatch.setattr(asyncio.SelectorEventLoop, "add_signal_handler", unable)
    monkeypatch.setattr(asyncio.SelectorEventLoop, "remove_signal_handler", unable)
    interrupted(from_outside, number)


def interrupted(send, number):
    """Send a signal to work that waits, and assert that it wakes, ends, and leaves the handlers as they were."""
    before = signal.getsignal(number)

    async def work():
        stopped = asyncio.Event()
        outside = signal.getsignal(number)
        begun = asyncio.get_running_loop().time()
        with until_interrupted(stopped.set):
            send(number)
            await asyncio.wait_for(stopped.wait(), PATIENCE)
            assert signal.getsignal(number) is signal.SIG_DFL  # so that a second one ends the process
        assert asyncio.get_running_loop().time() - begun < PATIENCE / 2  # it did not wake by its own time limit
        assert signal.getsignal(number) is outside

    asyncio.run(work())
    assert signal.getsignal(number) is before


class Kernel32:
    """The memory of a computer with Windows."""

    def __init__(self, answers):
        self.answers = answers

    def GlobalMemoryStatusEx(self, status):  # noqa: N802 - Windows' own name
        # By the layout that Windows documents: two of 4 bytes, then total and available of 8 each.
        data = ctypes.cast(status, ctypes.POINTER(ctypes.c_uint8))
        assert ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] == 64
        ctypes.memmove(ctypes.addressof(data.contents) + 16, (12_345_678_901).to_bytes(8, "little"), 8)
        return int(self.answers)


@pytest.mark.parametrize(("answers", "expected"), [(True, 12_345_678_901), (False, 4 * 2**30)])
def test_windows_says_how_much_memory_is_free(monkeypatch, answers, expected):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=Kernel32(answers)), raising=False)
    assert available_memory() == expected


def windows(monkeypatch, is_open):
    """Let replacing a file fail as on Windows while ``is_open`` names it."""
    replace = os.replace

    class SharingError(PermissionError):
        winerror = 32

    def refusing(source, target):
        if is_open(str(target)):
            raise SharingError(13, "The process cannot access the file because it is being used by another process")
        replace(source, target)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(files, "_PAUSE", 0.0)
    monkeypatch.setattr(os, "replace", refusing)


def test_a_result_that_is_open_elsewhere_on_windows_stays_as_it_was(monkeypatch, tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.html"
    second.write_text("old", encoding="utf-8")
    windows(monkeypatch, lambda target: target.endswith("b.html"))

    def write_both():
        with Outputs() as outputs:
            outputs.write(first, b"{}")
            outputs.write(second, b"new")

    with pytest.raises(OutputError) as caught:
        write_both()
    sentence = str(caught.value)
    assert sentence.startswith(f"{second} cannot be replaced: permission is denied, or another program has it open.")
    assert sentence.endswith(f"Already written: {first}.")
    assert second.read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.html"]


def test_a_file_that_is_open_elsewhere_on_windows_stays_as_it_was(monkeypatch, tmp_path):
    target = tmp_path / "part.camtwin"
    target.write_bytes(b"old")
    windows(monkeypatch, lambda _: True)
    with pytest.raises(OutputError, match=r"another program has it open\. Close it there and try again"):
        files.write_whole(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["part.camtwin"]


def test_windows_waits_for_a_virus_scanner(monkeypatch, tmp_path):
    refusals = iter([True, True, False])
    windows(monkeypatch, lambda _: next(refusals))
    files.write_whole(tmp_path / "part.camtwin", b"new")
    assert (tmp_path / "part.camtwin").read_bytes() == b"new"


def test_an_unknown_freecad_named_with_blanks_is_one_sentence(folder, native):
    assert FOLDER in one_sentence(here("analyze", native, "--freecad", folder / "freecad cmd"))
