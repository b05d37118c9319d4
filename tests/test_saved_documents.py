# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents that users saved name our classes by module: told here in no time, without FreeCAD, when one has moved."""

import ast
from pathlib import Path

import pytest

from freecad_camtwin.twin.runs.file import load_execution
from saved_documents import DOCUMENTS, MAY_BE_DROPPED, properties, proxies, version_of

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = "freecad_camtwin.document."
GUI = "freecad_camtwin.gui."
NAMES = {
    "Document.xml": {
        (DOCUMENT + "dressup", "FeedDressup"),
        (DOCUMENT + "execution", "ExecutionObject"),
        (DOCUMENT + "twin_object", "TwinObject"),
    },
    "GuiDocument.xml": {
        (GUI + "view_execution", "ViewExecution"),
        (GUI + "view_feed_dressup", "ViewFeedDressup"),
        (GUI + "view_twin", "ViewTwin"),
    },
}
SOURCES = {"Twin": "twin_object", "FeedDressup": "dressup", "Execution": "execution"}


def test_there_is_a_document_of_each_freecad():
    assert [version_of(name) for name in DOCUMENTS] == [(0, 20), (1, 0), (1, 1)]


@pytest.mark.parametrize("entry", NAMES)
@pytest.mark.parametrize("version", DOCUMENTS)
def test_every_class_that_a_saved_document_names_is_where_it_says(version, entry):
    named = proxies(DOCUMENTS[version], entry)
    assert named == NAMES[entry]
    for module, name in named:
        source = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        classes = [
            node.name for node in ast.parse(source.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)
        ]
        assert name in classes, f"{module} defines no {name}"


@pytest.mark.parametrize("version", DOCUMENTS)
def test_every_property_that_a_saved_document_carries_is_still_declared(version):
    for values in properties(DOCUMENTS[version]).values():
        if kind := values.pop("CamTwinKind", None):
            tree = ast.parse(
                (ROOT / "freecad_camtwin" / "document" / f"{SOURCES[kind]}.py").read_text(encoding="utf-8")
            )
            declared = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            dropped = MAY_BE_DROPPED if kind == "Twin" else set()
            assert len(values) > 5
            assert set(values) - declared == dropped - declared


@pytest.mark.parametrize("version", DOCUMENTS)
def test_the_figures_of_a_saved_run_are_read(version):
    path = DOCUMENTS[version]
    (values,) = [each for each in properties(path).values() if each.get("CamTwinKind") == "Execution"]
    execution = load_execution(path.parent / values["Sidecar"], values["SidecarHash"])
    assert execution.about.run == values["RunName"]
    assert f"{execution.figures.cycle_time:.1f}" == values["KPI"]["cycle time [s]"]
    assert len(execution.moves["time"]) == len(execution.moves["power.mean"])
