# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input gets one sentence and exit code 3; no input changes and no result is left half-written."""

import os
import shlex
import subprocess
import sys
import zipfile

import click
import pytest

from calling import PROGRAM, ROOT, STOCK, TOOL, camtwin, here, one_sentence
from freecad_camtwin.cli import main
from freecad_camtwin.cli.options import Finite
from freecad_camtwin.cli.outputs import Outputs
from freecad_camtwin.errors import OutputError

GOOD = (TOOL, STOCK, "--cell=0.5")


def refused(folder, *words):
    """Run a call that must be refused; assert that the folder is as it was, and return the sentence."""
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    sentence = one_sentence(here("analyze", *words, "--json=out.json", "--html=out.html", cwd=folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    return sentence


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("G1 X99999999", "line 6"),
        ("G1 Xnan", "line 6"),
        ("G2 X10 Y0 I3 J3 F900", "line 6"),
        ("G6.1 X1", "line 6"),
        ("#1=5", "line 6"),
        ("o100 sub", "line 6"),
        ("G41 D1", "line 6"),
        ("G1 X60 A90", "line 6"),
    ],
)
def test_a_line_that_cannot_be_followed_is_named(program, line, word):
    program.write_text(PROGRAM.replace("G1 X60 F900", line), encoding="ascii")
    assert word in refused(program.parent, program.name, *GOOD)


def test_a_missing_file(tmp_path):
    assert "does not exist" in refused(tmp_path, "none.ngc", *GOOD)
    assert "does not exist" in refused(tmp_path, "none.FCStd")


def test_an_empty_file_a_folder_and_a_picture(tmp_path):
    (tmp_path / "empty.ngc").write_bytes(b"\n\n")
    (tmp_path / "picture.ngc").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    assert "is empty" in refused(tmp_path, "empty.ngc", *GOOD)
    assert "folder" in refused(tmp_path, ".", *GOOD)
    refused(tmp_path, "picture.ngc", *GOOD)


def test_documents_that_are_none(tmp_path, zipped):
    zipped("poems.FCStd", poems_txt="no document")
    (tmp_path / "text.FCStd").write_text("G1 X1", encoding="ascii")
    whole = zipped("cut.FCStd", Document_xml="<Document/>" * 500).read_bytes()
    (tmp_path / "cut.FCStd").write_bytes(whole[: len(whole) // 2])
    broken = bytearray(zipped("broken.FCStd", Document_xml="<Document/>" * 500).read_bytes())
    broken[60] ^= 0xFF
    (tmp_path / "broken.FCStd").write_bytes(bytes(broken))
    with zipfile.ZipFile(tmp_path / "packed.FCStd", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Document.xml", "<Document/>" * 500)
    packed = bytearray((tmp_path / "packed.FCStd").read_bytes())
    packed[30 + len("Document.xml")] = 0xFF  # a kind of block that deflate does not have
    (tmp_path / "packed.FCStd").write_bytes(bytes(packed))
    with zipfile.ZipFile(tmp_path / "other.FCStd", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("Document.xml", "<Document/>" * 500)
    assert "zip it anew" in refused(tmp_path, "other.FCStd")
    assert "no FreeCAD document" in refused(tmp_path, "poems.FCStd")
    for name in ("text.FCStd", "cut.FCStd", "broken.FCStd", "packed.FCStd"):
        assert "damaged" in refused(tmp_path, name), name


def test_a_program_without_moves_and_one_without_cuts(tmp_path):
    (tmp_path / "still.ngc").write_text("G21\nM2\n", encoding="ascii")
    (tmp_path / "rapid.ngc").write_text("G21\nT1 M6\nG0 X1 Y1 Z1\nG0 X2\nM2\n", encoding="ascii")
    refused(tmp_path, "still.ngc", *GOOD)
    assert "no feed move" in refused(tmp_path, "rapid.ngc", *GOOD)


def test_tool_and_stock_that_are_missing(program):
    assert "--tool" in refused(program.parent, program.name, STOCK)
    assert "--stock" in refused(program.parent, program.name, TOOL)


@pytest.mark.parametrize("tool", ["D=0,z=2,shape=flat", "D=6,z=0,shape=flat", "D=6,re=4,shape=bull"])
def test_a_tool_that_cannot_be(program, tool):
    refused(program.parent, program.name, f"--tool={tool}", STOCK)


def test_stock_beside_the_path_and_flat_stock(program):
    assert "misses the stock" in refused(program.parent, program.name, TOOL, "--stock=500,500,-10,550,550,0")
    assert "has no volume" in refused(program.parent, program.name, TOOL, "--stock=0,0,0,50,50,0")


def test_a_cell_so_fine_that_memory_would_not_do_tells_the_estimate(program):
    sentence = refused(program.parent, program.name, TOOL, STOCK, "--cell=0.00001")
    assert any(unit in sentence for unit in (" MB", " GB"))


def test_material_and_machine_that_nobody_knows(program):
    assert "unobtainium" in refused(program.parent, program.name, *GOOD, "--material=unobtainium")
    assert "nowhere.toml" in refused(program.parent, program.name, *GOOD, "--machine=nowhere.toml")


def test_a_target_that_cannot_be_written(program):
    folder = program.parent
    locked = folder / "locked.json"
    locked.write_text("mine", encoding="ascii")
    locked.chmod(0o444)
    assert "read-only" in one_sentence(here("analyze", program, *GOOD, f"--json={locked}"))
    assert locked.read_text(encoding="ascii") == "mine"
    for target in (folder, folder / "no" / "such" / "a.json", "/proc/version"):
        one_sentence(here("analyze", program, *GOOD, f"--json={target}"))


def test_the_input_itself_is_no_target(program):
    before = program.read_bytes()
    assert "input itself" in one_sentence(here("analyze", program, *GOOD, f"--json={program}"))
    link = program.with_name("link.json")
    link.symlink_to(program)
    assert "input itself" in one_sentence(here("analyze", program, *GOOD, f"--json={link}"))
    assert program.read_bytes() == before


def test_a_result_needs_no_way_to_change_an_open_files_mode(monkeypatch, tmp_path):
    monkeypatch.delattr("os.fchmod")  # as on Windows before Python 3.13
    (tmp_path / "plain").touch()
    with Outputs() as outputs:
        outputs.write(tmp_path / "a.json", b"{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "plain"]
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_two_results_never_share_a_file(program):
    folder = program.parent
    (folder / "sub").mkdir()
    before = sorted(folder.rglob("*"))
    for other in ("a", "./a", folder / "a", "sub/../a"):
        called = here("analyze", program, *GOOD, "--json=a", f"--html={other}", cwd=folder)
        assert called.code == 2, called.err
        assert "two results have the same file name" in called.err
    twice = here("compare", program, "--job", program, "--html=a", "--json=a", cwd=folder)
    assert "two results have the same file name" in twice.err
    with Outputs() as outputs:
        outputs.write(folder / "b", b"1")
        with pytest.raises(OutputError, match="two results"):
            outputs.write(folder / "sub" / ".." / "b", b"2")
    assert (folder / "b").read_bytes() == b"1"
    (folder / "b").unlink()
    assert sorted(folder.rglob("*")) == before


def test_what_is_no_file_is_no_target(tmp_path, program):
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in one_sentence(here("analyze", program, *GOOD, f"--json={tmp_path / 'pipe'}"))
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_leaves_no_half_file(program, tmp_path):
    """A file-size limit of the shell stands for the full disk: the report is larger, the JSON is not."""
    folder = tmp_path / "results"
    folder.mkdir()
    words = ["analyze", str(program), *GOOD, f"--json={folder}/a.json", f"--html={folder}/a.html", "--quiet"]
    call = shlex.join([sys.executable, "-m", "freecad_camtwin.cli.main", *words])
    ended = subprocess.run(
        ["bash", "-c", f"ulimit -f 64; trap '' XFSZ; exec {call}"],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 3, ended.stderr
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "words", [("bogus",), ("analyze",), ("analyze", "x.ngc", "--cell=fine"), ("analyze", "x.ngc", "--tool=flat"),
              ("analyze", "x.ngc", "--stock=1,2,3"), ("analyze", "x.ngc", "--limit=speed=3"), ("optimize", "x.ngc")]
)  # fmt: skip
def test_a_wrong_call_is_2(words):
    called = here(*words)
    assert called.code == 2
    assert called.err.startswith("Usage: camtwin ")


def test_a_process_ends_with_the_exit_code_of_its_failure(tmp_path):
    wrong = camtwin("bogus")
    assert (wrong.code, wrong.out) == (2, "")
    assert "Traceback" not in wrong.err
    assert "does not exist" in one_sentence(camtwin("analyze", "none.ngc", *GOOD, cwd=tmp_path))


MACHINE = ("virtual-machine", "none.camtwin", "--publish=mtconnect+http://127.0.0.1:0")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "words", [(*MACHINE, "--speed"), (*MACHINE, "--lead"), (*MACHINE, "--wear"), (*MACHINE, "--rate"),
              ("record", "csv:none", "-o", "run", "--duration"), ("record", "csv:none", "-o", "run", "--silence"),
              ("record", "csv:none", "-o", "run", "--patience"), ("record", "csv:none", "-o", "run", "--interval"),
              ("watch", "csv:none", "--every"), ("watch", "csv:none", "--duration"), ("demo", "--seconds"),
              ("signals", "csv:none", "-o", "map", "--listen"), ("analyze", "none.ngc", "--spindle-rpm"),
              ("analyze", "none.ngc", "--feed-max")]
)  # fmt: skip
def test_a_number_that_is_none_is_a_wrong_call(words, value):
    called = here(*words[:-1], f"{words[-1]}={value}")
    assert called.code == 2, called.err
    assert "is not a finite number" in called.err or "is not in the range" in called.err


def test_every_number_of_an_option_is_finite():
    commands = [main.camtwin.get_command(None, name) for name in main.camtwin.list_commands(None)]
    commands += [each for group in commands for each in getattr(group, "commands", {}).values()]
    kinds = [parameter.type for command in commands for parameter in command.params]
    floats = [kind for kind in kinds if isinstance(kind, (click.types.FloatParamType, click.FloatRange))]
    assert floats
    assert all(isinstance(kind, Finite) for kind in floats)


def test_help_tells_the_exit_codes():
    called = camtwin("--help")
    assert called.code == 0
    for word in ("Exit codes", "0  done", "2  the call was wrong", "3  the input is bad", "CAMTWIN_FREECAD"):
        assert word in called.out
