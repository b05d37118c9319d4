# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fenced LinuxCNC starts, runs, says why it does not, and leaves nothing behind."""

from pathlib import Path

import numpy as np
import pytest

from controllers.linuxcnc.harness import Controller, ControllerError, unavailable

MOVE = "G21 G90\nG61\nG0 X0 Y0 Z10\nG1 X10 F3000\nM2\n"


@pytest.fixture(scope="module")
def controller():
    """One controller for all tests here."""
    reason = unavailable()
    if reason:
        pytest.fail(f"{reason}: make test installs it")
    with Controller(speed=10) as running:
        yield running


def program(folder, text):
    path = folder / "program.ngc"
    path.write_text(text)
    return path


def test_a_run_is_counted_in_servo_cycles(controller, tmp_path):
    run = controller.run(program(tmp_path, MOVE))
    again = controller.run(program(tmp_path, MOVE))
    assert run.seconds == pytest.approx(0.4, abs=0.1)
    assert abs(len(run.line) - len(again.line)) <= 40  # moves are exact; a wait between them is the host's doing
    assert run.position[-1] == pytest.approx([10.0, 0.0, 10.0], abs=0.05)  # the logger lags by a cycle or two
    assert run.speed.max() == pytest.approx(np.sqrt(2000.0 * 10.0), rel=0.02)  # 10 mm at 2000 mm/s², and no faster
    assert set(np.unique(run.line)) >= {3, 4}


def test_a_program_that_is_refused_tells_the_controllers_own_words(controller, tmp_path):
    with pytest.raises(ControllerError, match=r"program.ngc: .*(?i:radius|arc)"):
        controller.run(program(tmp_path, "G21\nG2 X10 Y0 I1 J1 F100\nM2\n"))


def test_it_goes_on_after_a_refusal(controller, tmp_path):
    assert controller.run(program(tmp_path, MOVE)).seconds > 0.2


def test_nothing_is_left_of_a_controller_that_was_stopped():
    reason = unavailable()
    if reason:
        pytest.fail(f"{reason}: make test installs it")
    with Controller(speed=10) as running:
        folder = running.folder
        assert folder.is_dir()
    assert not folder.exists()
    for process in Path("/proc").glob("[0-9]*/cwd"):
        try:
            assert str(folder) not in str(process.readlink())
        except OSError:
            continue
