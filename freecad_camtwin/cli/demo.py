# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin demo``: run the examples of a checkout from analysis to comparison, by calls that the demo prints."""

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from freecad_camtwin import ROOT
from freecad_camtwin.cli.options import FILE, Finite, Settings, common
from freecad_camtwin.cli.text import say
from freecad_camtwin.errors import InputError, OutputError
from freecad_camtwin.twin.base.words import clock

PANEL = ROOT / "examples" / "lathe_els_panel.FCStd"
#: Job, post processor, material and tool: the job of the panel's cover glass.
JOB = "--job CAM_coverglass --post linuxcnc --material 6061 --tool reach=20"
#: A program that runs a package's program on a LinuxCNC without a machine.
ON_LINUXCNC = ROOT / "examples" / "on_linuxcnc.py"
#: LinuxCNC's clock runs at most at this multiple of real time, because the computer also does other work.
MOST_SPEED = 8.0
#: The virtual machine's true values. The cut is light, so the power sensor must have little noise.
HIDDEN = "--material-factor 1.15 --noise 0.0003 --lag 0.05 --seed 7"
_PATIENCE = 30.0
#: How long to wait until the recorder listens; it may have to compile its kernels first [s].
LISTENS = 300.0
#: How long a recorder may need to notice that the machine has ended [s].
SETTLED = 3.0
_MOSQUITTO = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"])


@click.command("demo", short_help="Run an example: analyze, optimize, post; with --live: run, record, compare.")
@click.option("--live", is_flag=True, help="Run a job on a virtual machine, record it over MQTT, compare.")
@click.option("-o", "--output", type=FILE, metavar="FOLDER", help="Folder for the results (default: build/demo…).")
@click.option(
    "--seconds",
    type=Finite(min=1),
    default=25.0,
    show_default=True,
    metavar="S",
    help="With --live: how long the program takes [s]; the machine runs faster than real time.",
)
@click.option(
    "--on",
    type=click.Choice(["linuxcnc", "virtual"]),
    help="With --live: the controller (default: linuxcnc if it is installed).",
)
@common
@click.pass_obj
def demo_command(settings: Settings, /, live: bool, output: Path | None, seconds: float, on: str | None) -> None:
    """Show on a real panel what CAM Twin does. Needs the examples of a checkout, and FreeCAD.

    Without --live: analyze the document, optimize its feeds, post before and after, compare. With --live: package a
    job, run it on LinuxCNC or a virtual machine faster than real time, record that run through a broker (mosquitto if
    it is installed, else the included one), and compare the run with its prediction.
    """
    if not PANEL.is_file():
        raise InputError("this installation has no examples; run the demo from a checkout")
    folder = (output or ROOT / "build" / ("demo-live" if live else "demo")).absolute()
    if not live:
        sys.exit(
            subprocess.run([sys.executable, str(ROOT / "examples" / "demo.py"), str(folder)], check=False).returncode
        )
    began = time.monotonic()
    if output is None:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{output} is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    why_not = _why_no_linuxcnc() if on != "virtual" else "asked for"
    if why_not and on == "linuxcnc":
        raise InputError(why_not)
    asyncio.run(_live(folder, seconds, "virtual" if why_not else "linuxcnc", settings))
    if not settings.quiet:
        say(f"\nThe picture: {_name(folder / 'overlay.png')}; the page: {_name(folder / 'compare.html')}.")
        what = "All measured values are simulated" if why_not else "LinuxCNC really ran; only the power is simulated"
        say(f"This demo took {clock(time.monotonic() - began)}. {what}.")


def _why_no_linuxcnc() -> str:
    """Return in a sentence why LinuxCNC cannot run here; an empty string if it can."""
    asked = subprocess.run([sys.executable, str(ON_LINUXCNC)], capture_output=True, encoding="utf-8", check=False)
    return asked.stdout.strip() if asked.returncode == 0 else f"{_name(ON_LINUXCNC)} does not work here"


async def _live(folder: Path, seconds: float, on: str, settings: Settings) -> None:
    package, run, signals, program = (
        _name(folder / name) for name in ("panel.camtwin", "run", "signals.toml", "panel.ngc")
    )
    _write_signals(folder / "signals.toml", on)
    profile = "linuxcnc_sim" if on == "linuxcnc" else "hobby_mill"
    _heading("Package a job: its path, the posted program, the load of every step", settings)
    await _call(f"package {_name(PANEL)} {JOB} --machine {profile} -o {package} --gcode {program}", settings)
    predicted = _predicted(folder / "panel.camtwin")
    speed = max(1.0, round(predicted / seconds, 1))
    async with AsyncExitStack() as stack:
        port, broker = await _broker(stack)
        topic = f"mqtt://127.0.0.1:{port}/demo/mill"
        record = f"record '{topic}/#' --job {package} --signals {signals} -o {run} --operator demo"
        if on == "linuxcnc":
            _heading(f"Run it on LinuxCNC, and record the run through a bridge and {broker}", settings)
            words = [_name(ON_LINUXCNC), package, program, topic, f"{min(speed, MOST_SPEED):g}"]
            # LinuxCNC reports the approach to the start position as a program too; its end must not end the recording.
            recorder, machine = _call(f"{record} --until stopped", settings), _python(" ".join(words), settings)
        else:
            _heading(f"Run it on a virtual machine, and record the run through {broker}", settings)
            words = ["virtual-machine", package, "--publish", topic, f"--speed {speed:g} --lead 1 {HIDDEN}"]
            recorder, machine = _call(record, settings), _call(" ".join(words), settings)
        # The virtual machine's clock begins in the past, so that it ends now.
        await _announce(topic, time.time() - (0 if on == "linuxcnc" else predicted))
        await _beside(recorder, machine, folder / "run")
    _heading("Compare the run with its prediction", settings)
    page = _name(folder / "compare.html")
    await _call(f"compare {run} --job {package} --html {page} --png {_name(folder / 'toolpath.png')}", settings)
    _overlay(folder, settings)


def _write_signals(path: Path, on: str) -> None:
    """Write the signal map of the controller."""
    from freecad_camtwin.connectors.linuxcnc import controller
    from freecad_camtwin.twin.signals.discovery import propose_signals
    from freecad_camtwin.twin.signals.signal_map import encode_signals
    from freecad_camtwin.virtual_machine import machine

    items = (
        (*controller.LINUXCNC_ITEMS, controller.ROLES["spindle_power"]) if on == "linuxcnc" else machine.VIRTUAL_ITEMS
    )
    path.write_bytes(encode_signals(propose_signals(items, name=f"the demo's {on} machine").signals))


async def _announce(topic: str, at: float) -> None:
    """Publish one retained message: the recorder receives it when it connects, and then creates its file."""
    from freecad_camtwin.publishers import Spoken, open_publisher
    from freecad_camtwin.twin.signals.observation import Event

    async with open_publisher(topic, Spoken("demo", "demo", (), simulated=True)) as publisher:
        await publisher.tell(Event(at, "availability", None))


async def _beside(recorder: Coroutine[Any, Any, None], machine: Coroutine[Any, Any, None], run: Path) -> None:
    """Start the machine when the recording has begun; if one of them fails, end the other."""
    running = [asyncio.create_task(recorder)]
    try:
        async with asyncio.timeout(LISTENS):
            while not run.exists() and not running[0].done():
                await asyncio.sleep(0.05)
        running.append(asyncio.create_task(machine))
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                task.result()
        await asyncio.wait(running[1:])
        running[1].result()
        await asyncio.wait(running[:1], timeout=SETTLED)
    except TimeoutError as error:
        raise OutputError(f"the recorder did not listen within {LISTENS:g} s") from error
    finally:
        for task in running:  # a recorder that is cancelled closes its file
            task.cancel()
        if len(running) == 1:
            machine.close()
        await asyncio.gather(*running, return_exceptions=True)


def _predicted(path: Path) -> float:
    """Return how long a package's program takes [s]."""
    from freecad_camtwin.twin.cycle_time.motion import schedule
    from freecad_camtwin.twin.package.package import load_package

    package = load_package(path)
    assert package.machine is not None  # JOB names one
    return schedule(package.lines.program, package.machine).total


def _overlay(folder: Path, settings: Settings) -> None:
    """Draw measured and predicted load in one chart."""
    from freecad_camtwin.cli.compare import choose_execution, executions_of
    from freecad_camtwin.report import comparison_charts, style
    from freecad_camtwin.twin.runs.along_path import compare_load

    package, executions = executions_of(folder / "run", folder / "panel.camtwin", None, settings)
    with style.styled():
        drawn = comparison_charts.strips(compare_load(package, choose_execution(executions, None)))
        (folder / "overlay.png").write_bytes(style.rendered(drawn, "png"))


async def _call(words: str, settings: Settings) -> None:
    """Print and run one call of camtwin; raise OutputError if it fails."""
    if not settings.quiet:
        click.secho(f"$ camtwin {words}", fg="cyan")
    freecad = ["--freecad", settings.freecad] if settings.freecad else []
    more = [*freecad, *(["--quiet"] if settings.quiet else [])]
    await _run(["-m", "freecad_camtwin.cli.main", *shlex.split(words), *more])


async def _python(words: str, settings: Settings) -> None:
    """Print and run one Python program; raise OutputError if it fails."""
    if not settings.quiet:
        click.secho(f"$ python {words}", fg="cyan")
    await _run(shlex.split(words))


async def _run(words: list[str]) -> None:
    paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if code:
        raise OutputError("the demo stopped because one of its calls failed; the reason is printed above")


async def _broker(stack: AsyncExitStack) -> tuple[int, str]:
    """Start a broker; return its port and its name for the headings."""
    from freecad_camtwin.live.broker import DemoBroker

    included = DemoBroker()
    program = shutil.which("mosquitto", path=_MOSQUITTO)
    if program is None:
        return (await stack.enter_async_context(included)).port, "the included broker"
    async with included:  # starting it finds a free port
        port = included.port
    await stack.enter_async_context(_Mosquitto(program, port))
    return port, "mosquitto"


class _Mosquitto:
    """A mosquitto process for this call only, reachable from this computer only."""

    def __init__(self, program: str, port: int) -> None:
        self._program, self._port = program, port

    async def __aenter__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="camtwin-")
        settings = Path(self._folder.name) / "mosquitto.conf"
        settings.write_text(f"listener {self._port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
        nothing = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            self._program, "-c", str(settings), stdin=nothing, stdout=nothing, stderr=nothing
        )
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                if self._process.returncode is not None or time.monotonic() > deadline:
                    raise InputError(
                        f"{self._program} does not start; start it by hand to see its error message"
                    ) from None
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return

    async def __aexit__(self, kind: type[BaseException] | None, value: Any, trace: TracebackType | None) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        self._folder.cleanup()


def _heading(words: str, settings: Settings) -> None:
    if not settings.quiet:
        click.secho(f"\n== {words}", bold=True)


def _name(path: Path) -> str:
    return shlex.quote(os.path.relpath(path))
