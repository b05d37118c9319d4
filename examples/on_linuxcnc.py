# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run a package's program on a real LinuxCNC without a machine, and publish its data by a bridge.

    on_linuxcnc.py                                 print in a sentence why LinuxCNC cannot run here; nothing if it can
    on_linuxcnc.py JOB.camtwin PROGRAM URL SPEED   run the program, at SPEED times real time

The controller runs in a sandbox (tests/controllers/linuxcnc/harness.py). Its motion is real, but nothing is cut: a
simulated power clamp reports the power that the package predicts, times ``HARDER``, with lag and noise (clamp.py).
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels"), str(ROOT / "tests")]

from controllers.linuxcnc.harness import HERE, Controller, ControllerError, unavailable  # noqa: E402
from controllers.pulled import Clamp, clamp_table  # noqa: E402
from freecad_camtwin.twin.package.package import load_package  # noqa: E402

#: True / predicted cutting force, which the twin does not get.
HARDER = 1.15
#: Polls per second of the controller's time.
RATE = 50
SOURCE = f"linuxcnc:?rate={RATE}&spindle_power=clamp.power"
#: Time that the bridge publishes before the program starts, and after its end [s].
LEAD, TAIL = 4.0, 3.0


def main() -> int:
    """Print why LinuxCNC cannot run here, or run the program; return the exit code."""
    if len(sys.argv) == 1:
        reason = unavailable()
        sys.stdout.write(f"{reason}\n" if reason else "")
        return 0
    job, program, url, speed = sys.argv[1:]
    try:
        with Controller(float(speed)) as controller:
            run(controller, Path(job), Path(program), url)
    except ControllerError as error:
        sys.stderr.write(f"LinuxCNC: {error}\n")
        return 3
    return 0


def run(controller: Controller, job: Path, program: Path, url: str) -> None:
    """Start clamp and bridge, and run the program."""
    package = load_package(job)
    spindle = package.machine.spindle  # the clamp measures at the motor's cable; the prediction is at the tool
    clamp_values = clamp_table(package, Clamp(gain=HARDER / spindle.efficiency))
    (controller.folder / "clamp.json").write_text(clamp_values)
    shutil.copy(HERE / "clamp.py", controller.folder)
    clamp = subprocess.Popen(controller.inside("/usr/bin/python3", "/tmp/clamp.py", "/tmp/clamp.json"))
    words = ["bridge", SOURCE, "--to", url, "--machine", "LinuxCNC", "--simulated", "--quiet"]
    bridge = subprocess.Popen(
        [sys.executable, "-m", "freecad_camtwin.cli.main", *words],
        env=os.environ | {"CAMTWIN_LINUXCNC": shlex.join(controller.poller())},
    )
    try:
        time.sleep(LEAD)
        controller.run(program)
        time.sleep(TAIL)
    finally:
        for process in (bridge, clamp):
            process.send_signal(signal.SIGINT)
        for process in (bridge, clamp):
            process.wait(30)


if __name__ == "__main__":
    sys.exit(main())
