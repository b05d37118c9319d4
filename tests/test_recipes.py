# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whoever follows a recipe of docs/recipes.md to the letter gets what it promises."""

import os
import subprocess
import sys

import pytest

from recipes import ROOT, copied, recipe


@pytest.mark.parametrize("title", ["A new connector", "A new material", "A new force model"])
def test_a_recipe_does_what_it_says(title, tmp_path):
    made = recipe(title)
    made.follow(copied(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-c", made.script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT / "kernels")))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == made.prints
    assert made.prints
