# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whoever follows the recipe for a window command gets a command that FreeCAD offers and that works."""

import importlib.util

import FreeCADGui as Gui

from recipes import copied, recipe


def test_the_recipe_for_a_command_gives_a_command_that_works(job, tmp_path, monkeypatch):
    recipe("A new window command").follow(copied(tmp_path))
    file = tmp_path / "freecad_camtwin" / "gui" / "commands.py"
    spec = importlib.util.spec_from_file_location("commands_after_the_recipe", file)
    commands = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(commands)
    new = commands.COMMANDS[-1]
    assert new.name == "CamTwin_Length"
    monkeypatch.setattr(commands, "COMMANDS", (new,))  # all others are registered already
    monkeypatch.setattr(commands, "watch_documents", lambda: None)
    assert commands.register() == ["CamTwin_Length"]
    said = []
    monkeypatch.setattr(commands, "print_to_report_view", said.append)
    assert (file.parent / "icons" / "CamTwin_Length.svg").samefile(Gui.Command.get(new.name).getInfo()["pixmap"])
    assert Gui.Command.get(new.name).isActive()
    Gui.runCommand(new.name)
    (sentence,) = said
    assert sentence.startswith("The feed moves are ")
    assert int(sentence.split()[4]) > 100
