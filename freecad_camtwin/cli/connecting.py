# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the commands that talk with a machine share: address, secrets, signal map, package, and how they end."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freecad_camtwin.cli.options import FILE, Finite, common
from freecad_camtwin.cli.progress import working
from freecad_camtwin.cli.text import say
from freecad_camtwin.connectors import Options
from freecad_camtwin.errors import InputError
from freecad_camtwin.live.choose import Choice, choose_signals, open_mapped
from freecad_camtwin.live.flow import Flow, Placer

if TYPE_CHECKING:  # it loads the simulation, which takes a second that a plain recording need not wait for
    from freecad_camtwin.twin.package.package import Package

#: Where a password is looked for when no option names another variable.
PASSWORD = "CAMTWIN_PASSWORD"

#: What asks a process to end: Ctrl-C, a service manager, and on Windows also Ctrl-Break.
_ENDING: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
if sys.platform == "win32":
    _ENDING = (*_ENDING, signal.SIGBREAK)

_IDENTITY = (
    click.option("--user", metavar="NAME", help="Who we are to the machine, broker or server."),
    click.option(
        "--password-env",
        metavar="VAR",
        help=f"The environment variable that holds the password (default: {PASSWORD}); no option takes a password.",
    ),
    click.option("--password-file", type=FILE, metavar="F", help="A file whose first line is the password."),
    click.option("--cert", type=FILE, metavar="F", help="Our certificate (PEM), for those who ask for one."),
    click.option("--key", type=FILE, metavar="F", help="The key of our certificate."),
    click.option("--ca", type=FILE, metavar="F", help="The certificate that the other side's must be signed by."),
)
_SOURCE = (
    click.argument("url", metavar="URL"),
    *_IDENTITY,
    click.option("--interval", type=Finite(0.0001, 60), default=0.01, metavar="S", help="Asked of servers [s]."),
    click.option("--silence", type=Finite(0.05, 86400), default=30.0, metavar="S", help="What counts as a gap [s]."),
    click.option(
        "--patience",
        type=Finite(0, 86400),
        default=30.0,
        metavar="S",
        help="How long the first connection is tried for [s]; a lost one comes back whenever it can.",
    ),
)
_MEANING = (
    click.option("--job", type=FILE, metavar="JOB.camtwin", help="The package of the job, as 'camtwin package' wrote."),
    click.option(
        "--signals",
        type=FILE,
        metavar="MAP.toml",
        help="The signal map (default: the package's, else one proposed from what the source offers).",
    ),
)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the address of a source, and what is to be told it."""
    for option in reversed(_SOURCE):
        command = option(command)
    return common(command)


def identity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command who we are to the others, and whom we trust."""
    for option in reversed(_IDENTITY):
        command = option(command)
    return command


def identity_of(said: dict[str, Any]) -> dict[str, Any]:
    """Take the options of ``identity_options`` out of ``said``; return them by the names of Options' fields."""
    user, variable, file = said.pop("user"), said.pop("password_env"), said.pop("password_file")
    return {
        "user": user,
        "password": _password(user, variable, file),
        "certificate": said.pop("cert"),
        "key": said.pop("key"),
        "authority": said.pop("ca"),
    }


def machine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a source, and what its items mean."""
    for option in reversed(_MEANING):
        command = option(command)
    return source_options(command)


def options_of(said: dict[str, Any]) -> Options:
    """Take the options of ``source_options`` out of ``said`` and return what a connector is told."""
    return Options(
        **identity_of(said),
        interval=said.pop("interval"),
        quiet=said.pop("silence"),
        patience=said.pop("patience"),
    )


def _password(user: str | None, variable: str | None, file: Path | None) -> str | None:
    """Return the password of a user: from the variable or the file that was named, else asked for at a terminal."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").split("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"the password file {file} cannot be read: {error}") from error
    if variable is not None and variable not in os.environ:
        raise InputError(f"the environment variable {variable} is not set; it was to hold the password")
    if user is None and variable is None:
        return None
    found = os.environ.get(variable or PASSWORD)
    if found is None and sys.stdin.isatty():
        found = str(click.prompt(f"Password of {user}", hide_input=True, err=True))
    return found


@dataclass(frozen=True)
class Source:
    """A source, and what its items mean."""

    url: str
    options: Options
    package: "Package | None"
    signals: Path | None

    @classmethod
    def of(cls, url: str, said: dict[str, Any]) -> "Source":
        """Read what ``machine_options`` took, and the files that it names."""
        job, signals = said.pop("job"), said.pop("signals")
        return cls(url, options_of(said), _package(job) if job is not None else None, signals)

    async def flow(self, *, quiet: bool) -> Flow:
        """Return the flow of its data; where its signal map had to be proposed, say so."""
        # First of all what takes time: the machine does not wait for it.
        placer = _placer(self.package, quiet=quiet) if self.package is not None else None
        with working("Asking what the machine has", quiet=quiet or self.signals is not None):
            choice = await choose_signals(self.url, self.options, self.signals, self.package)
        if choice.is_proposed and not quiet:
            show_choice(choice)
        return Flow(open_mapped(self.url, self.options, choice.signals), choice.signals, placer)


def _package(path: Path) -> "Package":
    from freecad_camtwin.twin.package.package import load_package

    return load_package(path)


def _placer(package: "Package", *, quiet: bool) -> Placer:
    with working("Preparing the path", quiet=quiet):
        from freecad_camtwin.live.placer import PathPlacer

        return PathPlacer(package)


def show_choice(choice: Choice) -> None:
    """Say on standard error what was proposed."""
    pairs = ", ".join(f"{signal.item} is {signal.meaning}" for signal in choice.signals.signals)
    click.echo(f"No signal map was given; proposed: {pairs}.", err=True)
    for note in choice.notes:
        click.echo(f"  {note}", err=True)
    if choice.listened:
        click.echo(
            f"  It was listened to for {choice.listened:.1f} s for that, which are not kept; "
            "with --signals MAP.toml nothing is lost.",
            err=True,
        )
    click.echo("'camtwin signals URL -o MAP.toml' writes it down, to be mended.", err=True)


@contextmanager
def until_interrupted(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM end the work cleanly by ``stop``; a second one ends the process."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _ENDING}

    def first() -> None:
        _restore(loop, dict.fromkeys(_ENDING, signal.SIG_DFL))
        stop()

    for number in _ENDING:
        try:
            # The loop's own handlers wake it whichever thread the system gives the signal to.
            loop.add_signal_handler(number, first)
        except NotImplementedError:  # Windows, whose loop wakes for the handlers of ``signal``
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(first))
    try:
        yield
    finally:
        _restore(loop, before)


def _restore(loop: asyncio.AbstractEventLoop, handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        with suppress(NotImplementedError):
            loop.remove_signal_handler(number)
        signal.signal(number, handler)


def say_warnings(flow: Flow, *, quiet: bool) -> None:
    """Say what the connector has to say of the talk."""
    for sentence in flow.connector.told.warnings if not quiet else ():
        say(f"  {sentence}")
