# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin demo``: the examples of a checkout, the whole way, each step a call that anybody could type."""

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from freecad_camtwin.cli.options import FILE, Settings, common
from freecad_camtwin.cli.text import say
from freecad_camtwin.errors import InputError, OutputError
from freecad_camtwin.twin.words import clock

ROOT = Path(__file__).resolve().parents[2]
PANEL = ROOT / "examples" / "lathe_els_panel.FCStd"
#: What is cut, on what, with what: the job of the panel's cover glass.
JOB = "--job CAM_coverglass --post linuxcnc --material 6061 --machine hobby_mill --tool reach=20"
#: What the machine hides. The cut is light, so its sensor has to be a fine one.
HIDDEN = "--material-factor 1.15 --noise 0.0003 --lag 0.05 --seed 7"
PATIENCE = 30.0
_MOSQUITTO = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"])


@click.command(short_help="Go the whole way on an example: analyse, mend, post; --live: run, record, compare.")
@click.option("--live", is_flag=True, help="Run a job on a virtual machine, record it over MQTT, compare.")
@click.option("-o", "--output", type=FILE, metavar="FOLDER", help="Where results go (default: build/demo…).")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=25.0,
    show_default=True,
    metavar="S",
    help="With --live: how long the program shall take here.",
)
@common
@click.pass_obj
def demo(settings: Settings, /, live: bool, output: Path | None, seconds: float) -> None:
    """Show on a real panel what CAM Twin does. Needs the examples of a checkout, and FreeCAD.

    Without --live: analyse the document, mend its feeds, post before and after, compare. With --live: package a job,
    let a virtual machine run it many times as fast as life, record that through a broker (mosquitto if it is
    installed, else our own small one), and hold what was measured against what was predicted.
    """
    if not PANEL.is_file():
        raise InputError("the examples do not lie beside this installation; run the demo from a checkout")
    folder = (output or ROOT / "build" / ("demo-live" if live else "demo")).absolute()
    if not live:
        sys.exit(
            subprocess.run([sys.executable, str(ROOT / "examples" / "demo.py"), str(folder)], check=False).returncode
        )
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    asyncio.run(_live(folder, seconds, settings))
    if not settings.quiet:
        say(f"\nThe picture: {_name(folder / 'overlay.png')}; the page: {_name(folder / 'compare.html')}.")
        say(f"This demo took {clock(time.monotonic() - began)}. Everything measured in it is simulated.")


async def _live(folder: Path, seconds: float, settings: Settings) -> None:
    from freecad_camtwin.live.virtual.machine import ITEMS
    from freecad_camtwin.twin.discovery import propose
    from freecad_camtwin.twin.signals import encode_signals

    package, run, signals = (_name(folder / name) for name in ("panel.camtwin", "run", "signals.toml"))
    (folder / "signals.toml").write_bytes(encode_signals(propose(ITEMS, name="the demo's machine").signals))
    _heading("Package a job: its path, the posted program, the load of every step", settings)
    await _call(f"package {_name(PANEL)} {JOB} -o {package} --gcode {_name(folder / 'panel.ngc')}", settings)
    speed = max(1.0, round(_predicted(folder / "panel.camtwin") / seconds, 1))
    async with AsyncExitStack() as stack:
        port, broker = await _broker(stack)
        _heading(f"Run it on a virtual machine, and record that through {broker}", settings)
        topic = f"mqtt://127.0.0.1:{port}/demo/mill"
        calls = [
            f"record '{topic}/#' --job {package} --signals {signals} -o {run} --operator demo",
            f"virtual-machine {package} --publish {topic} --speed {speed:g} --lead 4 {HIDDEN}",
        ]
        await _together(calls, settings)
    _heading("Hold what was measured against what was predicted", settings)
    page = _name(folder / "compare.html")
    await _call(f"compare {run} --job {package} --html {page} --png {_name(folder / 'toolpath.png')}", settings)
    _overlay(folder, settings)


async def _together(calls: list[str], settings: Settings) -> None:
    """Make calls beside each other; when one fails the others end, too."""
    running = [asyncio.create_task(_call(words, settings)) for words in calls]
    try:
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _predicted(path: Path) -> float:
    """Return how long a package's program takes [s]."""
    from freecad_camtwin.twin.motion import schedule
    from freecad_camtwin.twin.package import load_package

    package = load_package(path)
    assert package.machine is not None  # JOB names one
    return schedule(package.lines.program, package.machine).total


def _overlay(folder: Path, settings: Settings) -> None:
    """Draw measured and predicted load, one over the other."""
    from freecad_camtwin.cli.compare import choose, executions_of
    from freecad_camtwin.report import comparison_charts, style
    from freecad_camtwin.twin.comparison import compare_load

    package, executions = executions_of(folder / "run", folder / "panel.camtwin", None, settings)
    with style.styled():
        drawn = comparison_charts.strips(compare_load(package, choose(executions, None)))
        (folder / "overlay.png").write_bytes(style.rendered(drawn, "png"))


async def _call(words: str, settings: Settings) -> None:
    """Print and run one call of camtwin; its failure is ours."""
    if not settings.quiet:
        click.secho(f"$ camtwin {words}", fg="cyan")
    freecad = ["--freecad", settings.freecad] if settings.freecad else []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "freecad_camtwin.cli.main", *shlex.split(words), *freecad, *(["--quiet"] if settings.quiet else [])),
        stdin=asyncio.subprocess.DEVNULL,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")])},
    )
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if code:
        raise OutputError(f"the demo ends here: camtwin {words.split()[0]} failed, as it says above")


async def _broker(stack: AsyncExitStack) -> tuple[int, str]:
    """Start a broker; return its port and what it is."""
    from freecad_camtwin.live.broker import Broker

    ours = Broker()
    program = shutil.which("mosquitto", path=_MOSQUITTO)
    if program is None:
        return (await stack.enter_async_context(ours)).port, "the broker that comes along"
    async with ours:  # which finds a free port
        port = ours.port
    await stack.enter_async_context(_Mosquitto(program, port))
    return port, "mosquitto"


class _Mosquitto:
    """A mosquitto of this call's own, on this computer alone."""

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
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                if self._process.returncode is not None or time.monotonic() > deadline:
                    raise InputError(f"{self._program} does not start; see what it says when you start it") from None
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
