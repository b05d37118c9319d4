# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin virtual-machine``: a stranger's package runs, is heard over three forms at once, and ends by itself."""

import os
import re
import signal
import subprocess
import sys

import pytest
from msgspec import structs

from calling import ROOT, here, one_sentence
from controllers.mosquitto import Mosquitto
from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.package.package import make_package, save_package
from freecad_camtwin.twin.shop.machine import Overheads, read_machine
from plan_jobs import job_of, passes


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    mill = structs.replace(read_machine("hobby_mill"), overheads=Overheads())
    path = tmp_path_factory.mktemp("package") / "part.camtwin"
    save_package(make_package(analyze(job_of(passes(rows=1)), machine=mill, cell=1.0)), path)
    return path


def test_a_package_runs_to_its_end(job, tmp_path):
    with Mosquitto(tmp_path).running() as broker:
        urls = [f"mqtt://127.0.0.1:{broker.port}/shop/vm?form=json", "mtconnect+http://127.0.0.1:0"]
        publish = [word for url in urls for word in ("--publish", url)]
        called = here("virtual-machine", job, *publish, "--speed", "100", "--lead", "0.1")
    assert (called.code, called.err) == (0, "")
    assert called.out.count("publishes a simulated run of 'part'") == 2
    assert re.search(r"[\d,]+ rows of .* of machine time published; the program ran to its end\.", called.out)
    assert "not published" not in called.out


def test_ctrl_c_ends_it_cleanly(job):
    words = ["virtual-machine", str(job), "--publish", "mtconnect+http://127.0.0.1:0"]
    running = subprocess.Popen(
        [sys.executable, "-m", "freecad_camtwin.cli.main", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )
    assert "publishes a simulated run" in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert (running.returncode, err) == (0, "")
    assert "until it was stopped" in out


def test_what_cannot_be_is_one_sentence(job, tmp_path):
    (tmp_path / "part.camtwin").write_bytes(b"PK\x03\x04")
    agent = ("--publish", "mtconnect+http://127.0.0.1:0")
    assert "not a CAM Twin package" in one_sentence(here("virtual-machine", tmp_path / "part.camtwin", *agent))
    assert "must begin with one of" in one_sentence(here("virtual-machine", job, "--publish", "http://mill"))
