# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shared by all commands that connect to a machine: address, secrets, signal map, package, and interruption."""

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

if TYPE_CHECKING:  # the import loads the simulation, which takes a second; a recording without a package needs none
    from freecad_camtwin.twin.package.package import Package

#: The environment variable that holds the password, unless an option names another one.
PASSWORD = "CAMTWIN_PASSWORD"

#: Signals that ask a process to end: from Ctrl-C, from a service manager, and on Windows also from Ctrl-Break.
_ENDING: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
if sys.platform == "win32":
    _ENDING = (*_ENDING, signal.SIGBREAK)

_IDENTITY = (
    click.option("--user", metavar="NAME", help="User name for the machine, broker or server."),
    click.option(
        "--password-env",
        metavar="VAR",
        help=f"The environment variable that holds the password (default: {PASSWORD}); no option takes a password.",
    ),
    click.option("--password-file", type=FILE, metavar="F", help="A file whose first line is the password."),
    click.option("--cert", type=FILE, metavar="F", help="Client certificate (PEM), if the server asks for one."),
    click.option("--key", type=FILE, metavar="F", help="Private key of the client certificate."),
    click.option("--ca", type=FILE, metavar="F", help="CA certificate that must have signed the server's certificate."),
)
_SOURCE = (
    click.argument("url", metavar="URL"),
    *_IDENTITY,
    click.option(
        "--interval", type=Finite(0.0001, 60), default=0.01, metavar="S", help="Sampling interval for servers [s]."
    ),
    click.option(
        "--silence",
        type=Finite(0.05, 86400),
        default=30.0,
        metavar="S",
        help="Time without data that counts as a gap [s].",
    ),
    click.option(
        "--patience",
        type=Finite(0, 86400),
        default=30.0,
        metavar="S",
        help="How long to try the first connection [s]; a lost connection is retried without a time limit.",
    ),
)
_MEANING = (
    click.option("--job", type=FILE, metavar="JOB.camtwin", help="The job's package, written by 'camtwin package'."),
    click.option(
        "--signals",
        type=FILE,
        metavar="MAP.toml",
        help="The signal map (default: the package's, else one proposed from what the source offers).",
    ),
)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the address of a source and the options of its connector to a command."""
    for option in reversed(_SOURCE):
        command = option(command)
    return common(command)


def identity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add user, password and certificates to a command."""
    for option in reversed(_IDENTITY):
        command = option(command)
    return command


def identity_of(params: dict[str, Any]) -> dict[str, Any]:
    """Remove the options of ``identity_options`` from ``params``; return them by the field names of Options."""
    user, variable, file = params.pop("user"), params.pop("password_env"), params.pop("password_file")
    return {
        "user": user,
        "password": _password(user, variable, file),
        "certificate": params.pop("cert"),
        "key": params.pop("key"),
        "authority": params.pop("ca"),
    }


def machine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add a source, the job's package and a signal map to a command."""
    for option in reversed(_MEANING):
        command = option(command)
    return source_options(command)


def options_of(params: dict[str, Any]) -> Options:
    """Remove the options of ``source_options`` from ``params``; return them as the options of a connector."""
    return Options(
        **identity_of(params),
        interval=params.pop("interval"),
        quiet=params.pop("silence"),
        patience=params.pop("patience"),
    )


def _password(user: str | None, variable: str | None, file: Path | None) -> str | None:
    """Return the password from the named file or variable, else from ``CAMTWIN_PASSWORD`` or a prompt."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").split("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"the password file {file} cannot be read: {error}") from error
    if variable is not None and variable not in os.environ:
        raise InputError(f"the environment variable {variable} is not set; set it to the password")
    if user is None and variable is None:
        return None
    password = os.environ.get(variable or PASSWORD)
    if password is None and sys.stdin.isatty():
        password = str(click.prompt(f"Password of {user}", hide_input=True, err=True))
    return password


@dataclass(frozen=True)
class Source:
    """A source with its options, its package and its signal map."""

    url: str
    options: Options
    package: "Package | None"
    signals: Path | None

    @classmethod
    def of(cls, url: str, params: dict[str, Any]) -> "Source":
        """Build a source from the options of ``machine_options``; this reads the package."""
        job, signals = params.pop("job"), params.pop("signals")
        return cls(url, options_of(params), _package(job) if job is not None else None, signals)

    async def flow(self, *, quiet: bool) -> Flow:
        """Return the flow of the source's data; if its signal map was proposed, print the proposal."""
        # Slow preparation comes before the connection: data that arrive meanwhile would be lost.
        placer = _placer(self.package, quiet=quiet) if self.package is not None else None
        with working("Asking the machine for its items", quiet=quiet or self.signals is not None):
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
    """Print the proposed signal map on standard error."""
    pairs = ", ".join(f"{signal.item} is {signal.meaning}" for signal in choice.signals.signals)
    click.echo(f"No signal map was given; proposed: {pairs}.", err=True)
    for note in choice.notes:
        click.echo(f"  {note}", err=True)
    if choice.listened:
        click.echo(
            f"  The data of the {choice.listened:.1f} s that this took are not kept; "
            "with --signals MAP.toml no data are lost.",
            err=True,
        )
    click.echo("'camtwin signals URL -o MAP.toml' writes the map to a file that you can correct.", err=True)


@contextmanager
def until_interrupted(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first Ctrl-C or SIGTERM, which ends the work cleanly; a second one ends the process."""
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
    """Print the warnings of the connector."""
    for sentence in flow.connector.told.warnings if not quiet else ():
        say(f"  {sentence}")
