# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is changed in a source when its tests are put to the test, and what is left alone."""

import ast

import pytest

from mutants.mutations import mutations
from mutants.run import PACKAGES, equivalents, is_same, sample, shares
from mutants.tree import CHECKOUT

LEFT_ALONE = """
'''A module of 3 things.'''
from typing import TYPE_CHECKING
Floats = Array[Shape, 2]
if TYPE_CHECKING:
    SIZE = 1 + 2

@dataclass(frozen=True)
class Part:
    '''Has 2 sides.'''
    width: Limited[int, 3]

    def __repr__(self):
        return str(1 + self.width)

def check(text: str | None, parts: list[int]):
    assert text != "none"
    for one, other in zip(parts, parts, strict=True):
        pair = one, other
"""


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("x = a < b", ["x = (a <= b)", "x = (a >= b)"]),
        ("x = a + b", ["x = (a - b)"]),
        ("x = a and b", ["x = (a or b)"]),
        ("x = not a", ["x = (a)"]),
        ("x = min(a, b)", ["x = (max(a, b))"]),
        ("x = 3", ["x = (4)"]),
        ("x = 50.0", ["x = (100.0)"]),
        ("x = True", ["x = (False)"]),
        ("if a: x = b", ["if (not a): x = b"]),
        ("x = y if a else z", ["x = (y if not a else z)"]),
        ("def f(): return a", ["def f(): return None"]),
        ("def f():\n  if a: raise b(1)", ["def f():\n  if (not a): raise b(1)", "def f():\n  if a: pass"]),
        ("x = 'µ', 1", ["x = 'µ', (2)"]),
    ],
)
def test_one_thing_is_changed_at_a_time(source, changed):
    assert [mutation.applied(source.encode()).decode() for mutation in mutations("part.py", source.encode())] == changed


def test_what_no_test_should_see_is_left_alone():
    assert [mutation.before for mutation in mutations("part.py", LEFT_ALONE.encode())] == []


def test_text_is_never_joined_by_another_operator_as_any_test_at_all_would_notice():
    assert mutations("part.py", b"x = folder / 'name'\ny = f'{a}' + b\nz = isinstance(a, int | None)") == []


def test_a_seed_gives_the_same_sample_again_and_a_larger_one_begins_with_it():
    small, large = (sample("freecad_camtwin/virtual_machine", count, seed=1) for count in (3, 6))
    assert small == large[:3] == sample("freecad_camtwin/virtual_machine", 3, seed=1)
    assert small != sample("freecad_camtwin/virtual_machine", 3, seed=2)


def test_every_mutant_of_a_sample_is_python_that_differs_in_its_meaning():
    for mutation in sample("freecad_camtwin/virtual_machine", 20, seed=1):
        assert ast.dump(ast.parse(mutation.after)) != ast.dump(ast.parse(mutation.before)), mutation


def test_every_package_has_its_share_of_the_sample():
    divided = shares(160, PACKAGES)
    assert sum(divided.values()) == 160
    assert min(divided.values()) >= 12


def test_every_mutant_that_is_said_to_change_nothing_exists_and_has_its_proof():
    for known in equivalents():
        source = (CHECKOUT / known["path"]).read_bytes()
        assert any(is_same(known, mutation) for mutation in mutations(known["path"], source)), known
        assert known["proof"].endswith(".")
