#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inside the fence: start LinuxCNC, run the programs that standard input names, say how it went, stop it.

Runs under the system's Python, which has LinuxCNC's module, in the private namespaces that harness.py makes: its
folder is /tmp there. One JSON object per line comes in ({"program": "a.ngc", "trace": "a.txt"}), one goes out.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import linuxcnc

HERE = Path("/tmp")
START_SECONDS = 30.0
IDLE_SECONDS = 0.25  # on a busy host a program can look idle for a moment between two of its blocks
PROBLEMS = {linuxcnc.NML_ERROR, linuxcnc.OPERATOR_ERROR}


def environment():
    """What LinuxCNC needs to start without a window, also for root."""
    env = {**os.environ, "RUNTESTS": "1", "HOME": str(HERE), "LANG": "C", "LC_ALL": "C"}
    env["PATH"] = "/usr/bin:/usr/sbin:/bin:/sbin"
    env.pop("DISPLAY", None)
    if os.getuid() == 0:  # its real-time process refuses to be root: it falls back to nobody
        env["RTAPI_UID"] = "65534"
    env["RTAPI_FIFO_PATH"] = str(HERE / "rtapi_fifo")
    return env


class Controller:
    """One running LinuxCNC."""

    def __init__(self, speed):
        self.env = environment()
        self.fast = dict(self.env)
        if speed != 1:
            # Every process of LinuxCNC sees a clock that runs faster; this driver keeps the true one.
            library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
            self.fast.update(LD_PRELOAD=str(library), FAKETIME=f"+0 x{speed:g}")
        self.speed = speed
        self.log = open(HERE / "linuxcnc.log", "w", encoding="utf-8")  # noqa: SIM115 - lives as long as the controller
        self.process = None

    def start(self):
        """Start, release the emergency stop, switch on, home."""
        os.environ["INI_FILE_NAME"] = str(HERE / "mill.ini")
        os.environ["HOME"] = self.env["HOME"]  # LinuxCNC's tool table in memory is a file there
        self.process = subprocess.Popen(
            ["/usr/bin/linuxcnc", "mill.ini"],
            env=self.fast, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, cwd=HERE,
        )  # fmt: skip
        self.wait_for((HERE / "display.pid").exists, "its display")
        self.status, self.command, self.errors = linuxcnc.stat(), linuxcnc.command(), linuxcnc.error_channel()
        self.wait_for(self.answers, "its status")
        for state in (linuxcnc.STATE_ESTOP_RESET, linuxcnc.STATE_ON):
            self.command.state(state)
            self.command.wait_complete()
        self.mode(linuxcnc.MODE_MANUAL)
        self.command.home(-1)
        self.wait_for(self.homed, "homing")

    def wait_for(self, is_so, what):
        """Wait until ``is_so()``, or fail with the name of what did not come."""
        end = time.monotonic() + START_SECONDS
        while not is_so():
            if self.process.poll() is not None:
                raise RuntimeError(f"LinuxCNC ended by itself while waiting for {what}")
            if time.monotonic() > end:
                raise RuntimeError(f"LinuxCNC did not come up: no sign of {what}")
            time.sleep(0.02)

    def answers(self):
        try:
            self.status.poll()
        except linuxcnc.error:
            return False
        return True

    def homed(self):
        self.status.poll()
        return all(self.status.homed[: self.status.joints])

    def mode(self, mode):
        self.command.mode(mode)
        self.command.wait_complete()

    def manual(self, *blocks):
        """Execute single blocks."""
        self.mode(linuxcnc.MODE_MDI)
        for block in blocks:
            self.command.mdi(block)
            self.command.wait_complete(60)

    def complaints(self):
        """Return what the controller complained about since last asked."""
        found = []
        while message := self.errors.poll():
            if message[0] in PROBLEMS:
                found.append(message[1].strip())
        return found

    def run(self, program, trace, timeout, start):
        """Run one program from rest at ``start`` and write one row per servo cycle to ``trace``."""
        self.manual("G21 G90 G17 G40 G49 G80 G94", "G92.1", "G54", "G0 Z{2} X{0} Y{1}".format(*start))
        self.mode(linuxcnc.MODE_AUTO)
        self.complaints()
        self.command.program_open(str(HERE / program))
        self.command.wait_complete()
        with open(HERE / trace, "w", encoding="utf-8") as rows:
            sampler = subprocess.Popen(["/usr/bin/halsampler", "-t"], env=self.env, stdout=rows, cwd=HERE)
            try:
                self.sample(True)
                self.command.auto(linuxcnc.AUTO_RUN, 0)
                complaints = self.until_idle(timeout)
                self.sample(False)
                time.sleep(0.3)
            finally:
                sampler.terminate()
                sampler.wait()
        return complaints

    def sample(self, is_on):
        subprocess.run(["/usr/bin/halcmd", "setp", "sampler.0.enable", str(int(is_on))], env=self.env, check=True)

    def until_idle(self, timeout):
        """Wait until the program is over; stop it when it takes more than ``timeout`` seconds of this clock."""
        begin = busy = time.monotonic()
        has_started = False
        complaints = []
        while True:
            self.status.poll()
            complaints += self.complaints()
            idle = self.status.interp_state == linuxcnc.INTERP_IDLE and self.status.exec_state == linuxcnc.EXEC_DONE
            has_started |= not idle
            waited = time.monotonic() - begin
            if not (idle and self.status.inpos and self.status.queue == 0 and self.status.current_vel == 0):
                busy = time.monotonic()
            elif has_started and time.monotonic() - busy > IDLE_SECONDS:
                return complaints
            if not has_started and (waited > 3 or complaints):
                return [*complaints, "the program did not start"]
            if waited > timeout:
                self.command.abort()
                self.command.wait_complete()
                return [*complaints, f"stopped after {timeout:g} s"]
            time.sleep(0.005)

    def stop(self):
        """End the display; LinuxCNC's script then ends everything else. The fence ends what is left."""
        try:
            os.kill(int((HERE / "display.pid").read_text()), signal.SIGTERM)
            self.process.wait(15)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            if self.process is not None:
                self.process.kill()
        self.log.close()


def main():
    """Serve until standard input ends."""
    controller = Controller(float(sys.argv[1]))
    try:
        controller.start()
        print(json.dumps({"ready": True, "version": linuxcnc.version}), flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            complaints = controller.run(request["program"], request["trace"], request["timeout"], request["start"])
            print(json.dumps({"complaints": complaints}), flush=True)
    except RuntimeError as error:
        print(json.dumps({"failed": str(error)}), flush=True)
    finally:
        controller.stop()


if __name__ == "__main__":
    main()
