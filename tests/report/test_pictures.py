# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures tell what the arrays say: every step is drawn, the worst on top, and unknown looks like nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from freecad_camtwin.report import charts, path_view, style
from freecad_camtwin.report.coloring import by_load


def lines_of(axes):
    """The load-colored strokes of a view."""
    return next(each for each in axes.collections if isinstance(each, LineCollection) and each.get_array() is not None)


def colors_of(analysis, percent):
    """The colors of loads in percent of their limits, (n, 3)."""
    return replace(by_load(analysis), values=np.array(percent)).rgba[:, :3]


def test_color_is_load_over_limit_and_the_legend_goes_on_to_three_times_the_limit(known):
    coloring = by_load(known)
    assert coloring.limited
    assert (coloring.scale.vmin, coloring.scale.vmax) == (0, 300)
    assert np.nanmax(coloring.values) == pytest.approx(100 * np.nanmax(known.load.power) / 100.0)


def test_without_limits_color_is_power_and_without_power_removal_rate(known, unknown):
    assert not by_load(unknown).limited
    assert "removal rate" in by_load(unknown).label
    assert by_load(unknown).values == pytest.approx(unknown.load.q)


def test_a_step_beyond_its_limit_has_the_color_of_the_limit_exceeded(known):
    colors = colors_of(known, [99.0, 100.0, 101.0, np.nan])
    over = tuple(int(style.OVER[i : i + 2], 16) / 255 for i in (1, 3, 5))
    assert colors[2] == pytest.approx(over, abs=0.02)
    assert (colors[:2, 2] > colors[:2, 0]).all()  # blue, at the limit, too
    assert np.ptp(colors[3]) < 0.01  # gray


def test_loads_at_their_limit_and_far_above_it_never_look_alike(known):
    percent = [0.0, 50.0, 90.0, 100.0, 105.0, 150.0, 200.0, 300.0, 400.0]
    colors = colors_of(known, percent)
    for one in range(len(percent)):
        for other in range(one):
            assert np.abs(colors[one] - colors[other]).max() > 0.08, (percent[one], percent[other])


def test_the_part_above_the_limit_grows_darker_all_the_way(known):
    lightness = colors_of(known, np.linspace(101.0, 300.0, 40)) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) < 0).all()


def test_the_palette_grows_darker_all_the_way(known):
    """So it reads in gray, too, and for every kind of color vision."""
    colors = style.LOAD(np.linspace(0, 1, 64))[:, :3]
    lightness = colors @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) < 0).all()


def test_the_top_view_shows_every_step_where_it_is(known):
    with style.styled():
        drawn = path_view.path_figure(known, by_load(known))
    lines = lines_of(drawn.axes[0])
    strokes = np.array(lines.get_segments())
    e = known.engagement
    assert len(strokes) == e.steps
    found = {tuple(row) for row in np.round(strokes.reshape(-1, 4), 6)}
    wanted = {tuple(row) for row in np.round(np.hstack([e.start[:, :2], e.end[:, :2]]), 6)}
    assert found == wanted


def test_where_passes_overlap_the_hardest_is_drawn_last(known):
    with style.styled():
        values = lines_of(path_view.path_figure(known, by_load(known)).axes[0]).get_array()
    assert (np.diff(values.filled(-1.0)) >= 0).all()


def test_the_isometric_view_keeps_heights_and_turns_x_right_and_y_left():
    x, y, z = (path_view.ISOMETRIC @ unit for unit in np.eye(3))
    assert x[0] > 0 > y[0]
    assert x[1] == y[1] > 0
    assert tuple(z) == (0.0, 1.0)


def test_too_many_steps_are_put_together_within_their_moves_and_the_worst_wins(monkeypatch):
    monkeypatch.setattr(path_view, "MOST_PIECES", 10)
    random = np.random.default_rng(7)
    move = np.sort(random.integers(0, 4, 60)).astype(np.int32)
    start = np.cumsum(random.random((60, 3)), axis=0)
    end = start + 0.1
    value = random.random(60)
    first, last, greatest = path_view.pieces(move, start, end, value)
    assert len(first) < 60 / 4
    assert greatest.max() == value.max()
    for m in np.unique(move):
        assert any((first == start[move == m][0]).all(axis=1))
        assert any((last == end[move == m][-1]).all(axis=1))


def test_a_chart_keeps_extremes_and_leaves_gaps_empty():
    begin = np.array([0.0, 1.0, 2.0, 8.0])
    end = np.array([1.0, 2.0, 3.0, 10.0])
    band = charts.banded(begin, end, np.array([5.0, 1.0, np.nan, 7.0]), columns=20)
    assert np.nanmax(band.greatest) == 7
    assert np.nanmin(band.least) == 1
    assert np.isnan(band.mean[(band.x > 2) & (band.x < 8)]).all()  # unknown, and then nothing
    assert (band.mean[(band.x > 8) & (band.x < 10)] == 7).all()  # one long step fills its columns
    assert (band.mean[band.x < 1] == 5).all()


def test_pictures_are_the_same_bytes_each_time(known):
    def drawn():
        with style.styled():
            return style.rendered(charts.strip_charts(known), "svg"), style.rendered(
                path_view.path_figure(known, by_load(known)), "png", dpi=50
            )

    assert drawn() == drawn()


def test_a_picture_is_the_same_wherever_its_objects_lie_in_memory():
    elsewhere, pictures = [], set()
    for turn in range(20):
        elsewhere.append([object() for _ in range(1000 * (turn * 7 % 20))])
        del elsewhere[: turn % 2]
        with style.styled():
            drawn = style.empty_figure(12.0, 6.4)
            for row, axes in enumerate(drawn.subplots(3, 1, sharex=True, height_ratios=[1.7, 1.0, 1.0])):
                axes.plot([0, 1], [0, 3**row])
                axes.set_ylabel("load")
            pictures.add(style.rendered(drawn, "svg"))
    assert len(pictures) == 1
