# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command ``camtwin``: runs one command, and turns every failure into one sentence and an exit code."""

import importlib
from typing import Any

import click

from freecad_camtwin import __version__
from freecad_camtwin.cli.options import Settings
from freecad_camtwin.cli.outputs import reason
from freecad_camtwin.errors import CamTwinError

#: Exit codes: done; the call was wrong (click's own code); the input is bad or the work failed.
DONE, WRONG_CALL, FAILED = 0, 2, 3

#: Exit code of Ctrl-C, as in shells.
INTERRUPTED = 130

_EPILOG = """\b
Exit codes:
  0  done
  2  the call was wrong (an unknown option, a value that does not parse)
  3  the input is bad or the work failed; one sentence on standard error says why,
     no input was changed and no result was left half-written
  130  Ctrl-C came before there was a result

\b
Environment:
  CAMTWIN_FREECAD  the freecadcmd to use for documents, as --freecad
  CAMTWIN_TIMEOUT  the longest time that FreeCAD may take [s] (default 600)
  CAMTWIN_PASSWORD the password for --user, unless another variable or a file is named
  CAMTWIN_TOKEN    the token of an InfluxDB server
  CAMTWIN_CACHE    the folder of compiled kernels (default ~/.cache/camtwin)
"""

#: Command → (module, attribute). A module is imported when its command is called, so that --help is fast.
_COMMANDS = {
    "analyze": ("freecad_camtwin.cli.analyze", "analyze_command"),
    "optimize": ("freecad_camtwin.cli.optimize", "optimize_command"),
    "attach": ("freecad_camtwin.cli.post", "attach_command"),
    "post": ("freecad_camtwin.cli.post", "post_command"),
    "clear": ("freecad_camtwin.cli.post", "clear_command"),
    "package": ("freecad_camtwin.cli.package", "package_command"),
    "compare": ("freecad_camtwin.cli.compare", "compare_command"),
    "import": ("freecad_camtwin.cli.import_run", "import_command"),
    "cycle-time": ("freecad_camtwin.cli.cycle_time", "cycle_time_command"),
    "record": ("freecad_camtwin.cli.record", "record_command"),
    "bridge": ("freecad_camtwin.cli.bridge", "bridge_command"),
    "watch": ("freecad_camtwin.cli.watch", "watch_command"),
    "signals": ("freecad_camtwin.cli.signals", "signals_group"),
    "virtual-machine": ("freecad_camtwin.cli.virtual_machine", "virtual_machine_command"),
    "export": ("freecad_camtwin.cli.export", "export_command"),
    "machine": ("freecad_camtwin.cli.machine", "machine_group"),
    "materials": ("freecad_camtwin.cli.materials", "materials_command"),
    "demo": ("freecad_camtwin.cli.demo", "demo_command"),
    "doctor": ("freecad_camtwin.cli.doctor", "doctor_command"),
}


class Failure(click.ClickException):
    """One sentence for the user, and exit code 3."""

    exit_code = FAILED

    def show(self, file: Any = None) -> None:
        """Print the sentence on standard error."""
        click.echo(f"camtwin: {self.format_message()}", file=file, err=True)


class Interrupted(Failure):
    """Ctrl-C before the result was complete; exit code 130."""

    exit_code = INTERRUPTED


class Commands(click.Group):
    """The group of all commands, each imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which a new user needs them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn its errors into one sentence each."""
        try:
            return super().invoke(ctx)
        except CamTwinError as error:
            raise Failure(str(error)) from error
        except (KeyboardInterrupt, click.Abort) as error:
            raise Interrupted("it was interrupted before there was a result.") from error
        except MemoryError as error:
            raise Failure("there is not enough memory; choose a coarser --cell or a smaller stock.") from error
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Failure(f"{error.filename or 'a file'} cannot be used: {reason(error)}.") from error


@click.group(
    cls=Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option("--freecad", metavar="PATH", help="The freecadcmd to read documents with (default: the first one found).")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
@click.version_option(__version__, prog_name="camtwin")
@click.pass_context
def camtwin(context: click.Context, freecad: str | None, quiet: bool) -> None:
    """Predict the load of every step of a CAM job, and write faster feeds into a copy of the job.

    INPUT is a FreeCAD document with a CAM job (needs FreeCAD 0.20, 1.0 or 1.1) or a posted program (needs no FreeCAD).
    """
    context.obj = Settings(freecad, quiet)


def main() -> None:
    """Run the command line."""
    camtwin(prog_name="camtwin")


if __name__ == "__main__":
    main()
