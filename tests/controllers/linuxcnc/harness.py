# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real controller to check against: LinuxCNC without a window, fenced in, up to ten times as fast as life.

    with Controller() as controller:
        run = controller.run(Path("part.ngc"))
    run.seconds      # from the first to the last moving servo cycle: the controller's own clock
    run.line, run.position, run.speed      # one row per servo cycle (1 ms)

How it is fenced. LinuxCNC is made to be the only one on a host: fixed shared-memory keys, a lock in /tmp, a fixed TCP
port, and a shutdown that ends processes by name. So each one gets its own world:

    your process ── unshare: own processes, network, shared memory, mounts ── driver.py ── linuxcnc ── milltask, …
         │                    └ the work folder is its /tmp                     stdin: which program
         └ reads the traces from the work folder                                stdout: how it went

Several can run side by side. When the fence falls (``stop``, or your own process dies), the kernel ends everything
inside: nothing can be left over, and nothing outside can be hit.

How it is made faster. libfaketime gives LinuxCNC's processes a clock that runs ``speed`` times faster. Times are
counted in servo cycles, never by a clock, so the host's load does not change them; tried from 1x to 20x.

As root, LinuxCNC's real-time process insists on a lesser user: it gets "nobody" (65534). As a normal user the fence is
a user namespace, in which its set-user-id bit has no effect; that is what lets the faster clock in. Where user
namespaces are forbidden, ``unavailable`` says so.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

HERE = Path(__file__).parent
POLLER = HERE.parents[2] / "freecad_camtwin" / "connectors" / "linuxcnc" / "poller.py"
FILES = ("mill.ini", "mill.hal", "mill.tbl", "wait.sh", "driver.py")

#: Length of a servo cycle [s]; mill.ini's SERVO_PERIOD.
CYCLE = 0.001
#: HAL pin with the seconds of servo cycles since the start.
CLOCK = "integ.0.out"


class ControllerError(Exception):
    """LinuxCNC did not start, or did not run the program."""


@dataclass(frozen=True)
class Run:
    """What the controller did with one program, one row per servo cycle from the first to the last that moved."""

    program: str
    line: np.ndarray  #: (cycles,) physical line of the program
    position: np.ndarray  #: (cycles, 3) commanded position at the end of the cycle [mm]
    speed: np.ndarray  #: (cycles,) along the path [mm/s]
    clock: np.ndarray  #: (cycles,) seconds of servo cycles since the controller started; its HAL pin is ``CLOCK``
    lost: int  #: rows that the logger lost

    @property
    def seconds(self) -> float:
        """From the first to the last moving servo cycle [s]."""
        return len(self.line) * CYCLE

    @property
    def time(self) -> np.ndarray:
        """The end of every cycle [s] since the start of motion, shape (cycles,)."""
        return np.arange(1, len(self.line) + 1) * CYCLE


def unavailable() -> str | None:
    """Return in a sentence why no controller can be started here, None if one can."""
    for command in ("linuxcnc", "halsampler", "unshare"):
        if shutil.which(command) is None:
            return f"LinuxCNC's simulator cannot run here: there is no {command}"
    if not any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")):
        return "LinuxCNC's simulator cannot run faster than life here: install libfaketime"
    if subprocess.run([*fence(), "true"], capture_output=True, check=False).returncode:
        return "LinuxCNC's simulator cannot be fenced in here: unshare is not permitted"
    return None


def fence() -> list[str]:
    """Return the command that runs another one in namespaces of its own."""
    options = ["--ipc", "--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child"]
    if os.getuid() != 0:
        options += ["--user", "--map-current-user", "--keep-caps"]
    return ["unshare", *options]


def faster(speed: float) -> dict[str, str]:
    """Return the environment in which a process sees a clock that runs ``speed`` times faster than life."""
    if speed == 1:
        return {}
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return {"LD_PRELOAD": str(library), "FAKETIME": f"+0 x{speed:g}"}


class Controller:
    """One LinuxCNC in its fence; use it as a context manager. ``speed`` is how much faster than life it runs."""

    def __init__(self, speed: float = 10.0) -> None:
        self.speed = speed
        self.folder = Path(tempfile.mkdtemp(prefix="camtwin-linuxcnc-"))
        self.version = ""
        self._process: subprocess.Popen[str] | None = None
        self._runs = 0

    def __enter__(self) -> "Controller":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it is homed."""
        for name in FILES:
            shutil.copy(HERE / name, self.folder)
        self.folder.chmod(0o1777)
        enter = (
            "ip link set lo up; mount -t tmpfs tmpfs /dev/shm; "
            f"mount --bind {self.folder} /tmp; cd /tmp; exec /usr/bin/python3 driver.py {self.speed:g}"
        )
        with (self.folder / "driver.log").open("w") as log:
            self._process = subprocess.Popen(
                [*fence(), "sh", "-c", enter], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.version = str(self._answer().get("version", ""))

    def run(self, program: Path, *, start: tuple[float, float, float] = (0.0, 0.0, 20.0), timeout: float = 900) -> Run:
        """Run a program from rest at ``start`` [mm]; ``timeout`` [s] is of your clock, not of the controller's.

        Raises ControllerError with the controller's own words where it refuses the program.
        """
        self._runs += 1
        name, trace = f"run{self._runs}/{program.name}", f"trace{self._runs}.txt"
        (self.folder / name).parent.mkdir()
        shutil.copy(program, self.folder / name)
        (self.folder / name).chmod(0o644)
        request = {"program": name, "trace": trace, "timeout": timeout, "start": start}
        _pipe(self._process).write(json.dumps(request) + "\n")
        _pipe(self._process).flush()
        complaints = self._answer().get("complaints")
        if complaints:
            raise ControllerError(f"{program.name}: {'; '.join(complaints)}")
        return _read_trace(program.name, self.folder / trace)

    def inside(self, *command: str) -> list[str]:
        """Return the command that runs another one inside the fence, by the controller's clock."""
        fences = [
            "--ipc",
            "--mount",
            "--pid",
            "--net",
            *([] if os.getuid() == 0 else ["--user", "--preserve-credentials"]),
        ]
        if self._process is None:
            raise ControllerError("the controller is not running")
        number = self._process.pid
        child = Path(f"/proc/{number}/task/{number}/children").read_text(encoding="utf-8").split()[0]
        world = {"HOME": "/tmp", **faster(self.speed)}
        clock = ["env", *(f"{name}={value}" for name, value in world.items())]
        return ["nsenter", "--target", child, *fences, *clock, *command]

    def poller(self) -> list[str]:
        """Return the command that starts the poller beside this controller."""
        shutil.copy(POLLER, self.folder)
        return self.inside("/usr/bin/python3", f"/tmp/{POLLER.name}")

    def _answer(self) -> dict[str, Any]:
        process = self._process
        line = process.stdout.readline() if process and process.stdout else ""
        answer: dict[str, Any] = json.loads(line) if line else {"failed": "LinuxCNC's driver ended"}
        if "failed" in answer:
            logs = [(self.folder / name).read_text(errors="replace") for name in ("driver.log", "linuxcnc.log")
                    if (self.folder / name).exists()]  # fmt: skip
            raise ControllerError(f"{answer['failed']}: {' | '.join(logs)[-2000:]}")
        return answer

    def stop(self) -> None:
        """Stop it and remove its folder; safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(BrokenPipeError):
                _pipe(process).close()  # the driver ends LinuxCNC and then itself
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()  # its child dies with it, and with that the whole fence
                process.wait()
            if process.stdout:
                process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _pipe(process: "subprocess.Popen[str] | None") -> IO[str]:
    if process is None or process.stdin is None:
        raise ControllerError("the controller is not running")
    return process.stdin


def _read_trace(program: str, path: Path) -> Run:
    """Read the logger's rows (number, line, x, y, z, speed, in position, clock) from first to last that moved."""
    rows = []
    lost = 0
    with path.open(encoding="utf-8") as lines:
        for row in lines:
            if row.startswith("overrun"):
                lost += 1
            else:
                rows.append(row)
    table = np.loadtxt(rows, ndmin=2) if rows else np.empty((0, 8))
    if len(table):
        lost += int((np.diff(table[:, 0]) - 1).sum())
    moving = np.flatnonzero((table[:, 6] == 0) | (table[:, 5] > 0))
    kept = table[moving[0] : moving[-1] + 1] if moving.size else table[:0]
    return Run(program, kept[:, 1].astype(np.int32), kept[:, 2:5].copy(), kept[:, 5].copy(), kept[:, 7].copy(), lost)
