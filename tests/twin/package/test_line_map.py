# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every line of a posted program finds its move of the document, whatever the post did, or is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.toolpath import MoveKind
from freecad_camtwin.twin.package.line_map import identity, map_lines
from posted import post

DATA = Path(__file__).parent.parent.parent / "data" / "nc"
PROGRAMS = ["jantman/vertical_panel.gcode", "jantman/front_panel.gcode", "led_floor/1103_bore_test_27bit_3_rad.nc"]


def read_text(tmp_path, text, name="posted.ngc"):
    (tmp_path / name).write_text(text)
    return read_program(tmp_path / name, start=(0.0, 0.0, 50.0))


def document(name):
    return read_program(DATA / name, start=(0.0, 0.0, 50.0))


def wrong_feeds(lines, truth):
    """Feed moves of any length whose document's move is another than the line was posted from."""
    path = lines.program
    feeds = np.flatnonzero(path.is_cutting & (path.length > 0.02))
    return [int(path.line[i]) for i in feeds if lines.move[i] != truth[path.line[i]]]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(
    "habits",
    [
        {},
        {"inches": True, "decimals": 4},
        {"chords": 0.5},
        {"chords": 0.5, "inches": True, "decimals": 4, "numbered": True, "rapids": "split"},
        {"numbered": True, "rapids": "split"},
    ],
    ids=lambda habits: " ".join(habits) or "plain",
)
def test_every_line_of_a_real_program_finds_its_move(tmp_path, name, habits):
    job = document(name)
    text, truth = post(job.toolpath, **habits)
    lines = map_lines(job, read_text(tmp_path, text))
    assert wrong_feeds(lines, truth) == []
    assert [sentence for sentence in lines.unmatched if "lines" in sentence] == []
    assert lines.matched == 1.0
    np.testing.assert_array_equal(
        lines.operation[lines.program.is_cutting & (lines.move >= 0)],
        job.toolpath.operation[lines.move[lines.program.is_cutting & (lines.move >= 0)]],
    )


def test_pieces_of_an_arc_know_which_part_of_it_they_are(tmp_path):
    job = document(PROGRAMS[2])
    text, _ = post(job.toolpath, chords=0.3)
    lines = map_lines(job, read_text(tmp_path, text))
    arcs = np.flatnonzero((job.toolpath.kind == MoveKind.ARC) & (job.toolpath.length > 1.0))
    assert arcs.size
    for arc in arcs:
        pieces = np.flatnonzero(lines.move == arc)
        assert len(pieces) > 1
        assert lines.begin[pieces[0]] == 0.0
        assert lines.end[pieces[-1]] == 1.0
        np.testing.assert_array_equal(lines.begin[pieces[1:]], lines.end[pieces[:-1]])
        np.testing.assert_allclose(
            np.diff(lines.end[pieces]), 1 / len(pieces), atol=0.02 / job.toolpath.length[arc] * 3
        )


def test_operations_in_another_order_are_found(tmp_path):
    job = document(PROGRAMS[0])
    count = len(job.operations)
    text, truth = post(job.toolpath, order=list(range(count))[::-1], numbered=True)
    lines = map_lines(job, read_text(tmp_path, text))
    # Passes that are repeated exactly are interchangeable: then only the geometry can be asked for.
    path = lines.program
    feeds = np.flatnonzero(path.is_cutting & (path.length > 0.02))
    own = job.toolpath
    assert (lines.move[feeds] >= 0).all()
    np.testing.assert_allclose(own.end[lines.move[feeds]], path.end[feeds], atol=0.002)
    assert len(np.unique(lines.move[feeds])) == len(feeds)
    assert wrong_feeds(lines, truth) == []


def test_rapids_belong_to_the_operation_that_they_lead_to(tmp_path):
    job = document(PROGRAMS[0])
    text, truth = post(job.toolpath)
    lines = map_lines(job, read_text(tmp_path, text))
    rapid = ~lines.program.is_cutting
    mapped = lines.move[rapid]
    told = truth[lines.program.line[rapid]]
    assert (mapped == told).mean() > 0.9
    following = np.flatnonzero(rapid)[:-1] + 1
    cuts_next = following[lines.program.is_cutting[following]]
    np.testing.assert_array_equal(lines.operation[cuts_next - 1], lines.operation[cuts_next])


def test_what_has_no_counterpart_is_named(tmp_path):
    job = document(PROGRAMS[0])
    text, truth = post(job.toolpath)
    written = text.splitlines()
    path = job.toolpath
    straight = (path.kind == MoveKind.LINE) & (path.length > 0.5)
    cut = np.flatnonzero(straight & np.append(straight[1:], False))
    dropped, shifted = int(cut[1]), int(cut[-2])
    for move, change in ((dropped, None), (shifted, 0.7)):
        line = int(np.flatnonzero(truth == move)[0])
        if change is None:
            written[line - 1] = "(gone)"
        else:
            point = job.toolpath.end[move] + change
            written[line - 1] = "G1 " + " ".join(f"{w}{v:.3f}" for w, v in zip("XYZ", point, strict=True))
    lines = map_lines(job, read_text(tmp_path, "\n".join(written)))
    said = "\n".join(lines.unmatched)
    assert str(np.flatnonzero(truth == shifted)[0]) in said
    named = np.flatnonzero(lines.program.is_cutting & (lines.move < 0) & (lines.program.length > 1e-6))
    assert 1 <= len(named) <= 4  # the two moved lines, and those that now start elsewhere
    assert f"move {dropped} " in said or f"moves {dropped} to" in said
    assert lines.matched < 1.0


def test_another_part_altogether_matches_nothing():
    lines = map_lines(document(PROGRAMS[0]), document(PROGRAMS[2]))
    assert lines.matched < 0.01
    assert lines.unmatched


def test_a_job_maps_onto_itself():
    job = document(PROGRAMS[1])
    lines = identity(job)
    np.testing.assert_array_equal(lines.move, np.arange(job.toolpath.moves))
    same = map_lines(job, job)
    feeds = job.toolpath.is_cutting & (job.toolpath.length > 1e-6)
    np.testing.assert_array_equal(same.move[feeds], lines.move[feeds])
    assert same.unmatched == ()
    assert replace(same).matched == 1.0
