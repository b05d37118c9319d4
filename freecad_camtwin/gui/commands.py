# SPDX-License-Identifier: LGPL-2.1-or-later
"""The workbench's commands. They choose the job, call the use case and show its result; none of them computes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import FreeCAD as App
import FreeCADGui as Gui
from PySide import QtCore, QtGui

from freecad_camtwin.document import api, structure
from freecad_camtwin.document.feeds import transaction
from freecad_camtwin.document.files import write_text
from freecad_camtwin.document.job import read_stored
from freecad_camtwin.errors import CamTwinError
from freecad_camtwin.gui.background import BackgroundTask, is_busy
from freecad_camtwin.gui.selection import selected_job
from freecad_camtwin.gui.state import state_of, watch_documents
from freecad_camtwin.report.page import report_html
from freecad_camtwin.twin.analysis.analysis import Analysis, analyze
from freecad_camtwin.twin.feeds.mend import Mended, mend
from freecad_camtwin.twin.job.stored_job import StoredJob, interpret_stored


def translate(context: str, text: str) -> str:
    """Return FreeCAD's translation of a text."""
    return str(App.Qt.translate(context, text))


_ICONS = Path(__file__).parent / "icons"
_DEFAULT_POST = "linuxcnc"
_MESSAGE_MS = 15000


class JobCommand(ABC):
    """A command on one CAM job. If it cannot run, it is gray and its tool tip gives the reason."""

    name = ""
    menu = ""
    tip = ""

    def GetResources(self) -> dict[str, str]:
        return {"MenuText": self.menu, "ToolTip": self.tip, "Pixmap": str(_ICONS / f"{self.name}.svg")}

    def IsActive(self) -> bool:
        reason = self.reason()
        for action in Gui.Command.get(self.name).getAction():
            action.setToolTip(f"<b>{self.menu}</b><br>{reason or self.tip}")
        return reason is None

    def reason(self) -> str | None:
        """Return in one sentence why the command cannot run now; None if it can."""
        if is_busy():
            return translate("CamTwin", "An analysis is running. Wait for it or cancel it.")
        try:
            return self.obstacle(selected_job())
        except CamTwinError as error:
            return str(error)

    def obstacle(self, _job: Any) -> str | None:
        """Return why the command cannot run on this job; None if it can."""
        return None

    def Activated(self) -> None:
        with errors_shown():
            self.run(selected_job())

    @abstractmethod
    def run(self, job: Any) -> None:
        """Run the command on the job."""


class Attach(JobCommand):
    """Attach a twin to the job."""

    name = "CamTwin_Attach"
    menu = translate("CamTwin", "Attach Twin")
    tip = translate("CamTwin", "Add a twin to the job: material, machine, limits, and an identity for each operation")

    def obstacle(self, job: Any) -> str | None:
        return translate("CamTwin", "The job already has a twin.") if structure.twin(job) else None

    def run(self, job: Any) -> None:
        api.attach(job)


class Analyze(JobCommand):
    """Compute the load of every step of the job, and draw it."""

    name = "CamTwin_Analyse"
    menu = translate("CamTwin", "Analyze")
    tip = translate("CamTwin", "Simulate the cut, and color the toolpath by its load")

    def run(self, job: Any) -> None:
        stored = read_stored(job)  # here and not in the thread, which must not use the document
        title = translate("CamTwin", "Simulating the cut of '{}'").format(job.Label)
        BackgroundTask(title, lambda progress: _analysis(stored, progress), lambda result: self.show(job, result), tell)

    def show(self, job: Any, analysis: Analysis) -> None:
        """Draw the analysis, and print its verdicts in the report view."""
        state_of(job).show(job.Document, analysis)
        for sentence in (*analysis.verdicts, *analysis.warnings):
            print_to_report_view(sentence)


class PlanFeeds(JobCommand):
    """Plan feeds and add them to the job."""

    name = "CamTwin_PlanFeeds"
    menu = translate("CamTwin", "Plan Feeds")
    tip = translate("CamTwin", "Plan the fastest feeds within every limit, and add them to the operations as dressups")

    def run(self, job: Any) -> None:
        stored = read_stored(job, bare=True)
        title = translate("CamTwin", "Planning feeds for '{}'").format(job.Label)
        BackgroundTask(title, lambda progress: _mended(stored, progress), lambda result: self.apply(job, result), tell)

    def apply(self, job: Any, result: Mended) -> None:
        """Add the plan's feeds to the job as one undo step, and show the new load."""
        with errors_shown():
            with transaction(job.Document, translate("CamTwin", "Plan feeds")):
                api.apply(job, result.plan)
            print_to_report_view(result.plan.sentence)
            Analyze().show(job, result.after)


def _analysis(stored: StoredJob, progress: Callable[[float], None]) -> Analysis:
    return analyze(interpret_stored(stored), progress=progress)


def _mended(stored: StoredJob, progress: Callable[[float], None]) -> Mended:
    return mend(interpret_stored(stored), progress=progress)


class Clear(JobCommand):
    """Remove everything that CAM Twin added to the job."""

    name = "CamTwin_Clear"
    menu = translate("CamTwin", "Clear")
    tip = translate("CamTwin", "Remove the planned feeds, the twin and the colors from the job")

    def obstacle(self, job: Any) -> str | None:
        planned = any(structure.feed_dressup(obj) for obj in structure.operations(job))
        if planned or structure.twin(job) or state_of(job).overlay or state_of(job).analysis:
            return None
        return translate("CamTwin", "Nothing to clear: the job has no twin, no planned feeds and no analysis.")

    def run(self, job: Any) -> None:
        state_of(job).hide()
        api.clear(job)


class Post(JobCommand):
    """Write the job as a program."""

    name = "CamTwin_Post"
    menu = translate("CamTwin", "Post")
    tip = translate("CamTwin", "Write the program of the job, with its planned feeds")

    def run(self, job: Any) -> None:
        path = ask_path(translate("CamTwin", "Write the program"), f"{job.Label}.ngc", "*.ngc *.nc *.gcode")
        if path:
            write_text(path, api.post(job, job.PostProcessor or _DEFAULT_POST))
            print_to_report_view(translate("CamTwin", "Wrote {}.").format(path))


class Report(JobCommand):
    """Write the analysis as one HTML page."""

    name = "CamTwin_Report"
    menu = translate("CamTwin", "Report")
    tip = translate("CamTwin", "Write the analysis as one HTML page with its pictures, and open it")

    def obstacle(self, job: Any) -> str | None:
        return None if state_of(job).analysis else translate("CamTwin", "Analyze the job first.")

    def run(self, job: Any) -> None:
        path = ask_path(translate("CamTwin", "Write the report"), f"{job.Label}.html", "*.html")
        analysis = state_of(job).analysis
        if path and analysis:
            write_text(path, report_html(analysis))
            show_page(path)


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show an error of the block to the user."""
    try:
        yield
    except CamTwinError as error:
        tell(str(error))


def print_to_report_view(sentence: str) -> None:
    """Write one sentence into the report view."""
    App.Console.PrintMessage(f"CAM Twin: {sentence}\n")


def tell(sentence: str) -> None:
    """Show one sentence that the user must see: in red in the report view, and in the status bar."""
    App.Console.PrintError(f"CAM Twin: {sentence}\n")
    Gui.getMainWindow().statusBar().showMessage(sentence, _MESSAGE_MS)


def ask_path(title: str, name: str, pattern: str) -> str:
    """Ask for the path of a file to write; return an empty string if the user cancels."""
    chosen = QtGui.QFileDialog.getSaveFileName(Gui.getMainWindow(), title, name, pattern)
    return str(chosen[0])


def show_page(path: str) -> None:
    """Open a page in the user's browser."""
    QtGui.QDesktopServices.openUrl(QtCore.QUrl.fromLocalFile(path))


#: In the order of menu and toolbar; docs/recipes.md shows how to add one.
COMMANDS: tuple[type[JobCommand], ...] = (
    Attach,
    Analyze,
    PlanFeeds,
    Clear,
    Post,
    Report,
)


def register() -> list[str]:
    """Register every command with FreeCAD, and return their names in the toolbar's order."""
    watch_documents()
    for command in COMMANDS:
        Gui.addCommand(command.name, command())
    return [command.name for command in COMMANDS]
