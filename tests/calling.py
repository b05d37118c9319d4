# SPDX-License-Identifier: LGPL-2.1-or-later
"""One way to call the command line, and a small program to call it with."""

import os
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: A slot and a side pass with a 6 mm end mill in a block of 50 × 60 × 10 mm.
PROGRAM = """\
G21 G90 G17
T1 M6
S8000 M3
G0 X-10 Y0 Z5
G0 Z-2
G1 X60 F900
G1 Y3
G1 X-10
G0 Z5
G0 X30 Y20
G1 Z-3 F200
G3 X30 Y20 I-8 J0 F900
G1 X40
G0 Z20
M5
M2
"""
TOOL = "--tool=D=6,z=2,shape=flat,reach=20,material=Carbide"
STOCK = "--stock=0,-20,-10,50,40,0"


@dataclass(frozen=True)
class Called:
    """What one call of camtwin gave."""

    code: int
    out: str
    err: str


def camtwin(*words, cwd=None, **environment):
    """Run camtwin as a user would: in a process of its own, for what only a process has, such as its exit code."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-m", "freecad_camtwin.cli.main", *map(str, words)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path} | environment,
        timeout=300,
        check=False,
    )
    return Called(ended.returncode, ended.stdout, ended.stderr)


def here(*words, cwd=".", **environment):
    """Run camtwin in this process, which saves its start and its imports; an unexpected error fails the test."""
    from click.testing import CliRunner

    from freecad_camtwin.cli import main

    with chdir(cwd):
        ended = CliRunner(env=environment).invoke(main.camtwin, [str(word) for word in words], catch_exceptions=False)
    return Called(ended.exit_code, ended.stdout, ended.stderr)


def one_sentence(called):
    """Assert that a call failed with exit code 3 and one sentence, and return the sentence."""
    assert called.code == 3, (called.out, called.err)
    lines = called.err.strip().splitlines()
    assert len(lines) == 1, called.err
    assert lines[0].startswith("camtwin: ")
    assert "Traceback" not in called.err + called.out
    return lines[0]
