# SPDX-License-Identifier: LGPL-2.1-or-later
"""The comparison shows what was measured where it was measured, and nothing where nothing was."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

import runs
from freecad_camtwin.report import comparison, comparison_charts, path_view, style
from freecad_camtwin.report.coloring import by_measured, by_ratio
from freecad_camtwin.twin.runs.along_path import compare_load
from freecad_camtwin.twin.runs.passage import Spent
from freecad_camtwin.twin.signals.columns import Columns
from freecad_camtwin.twin.signals.run import Silence


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return runs.package(tmp_path_factory.mktemp("job"))


@pytest.fixture(scope="module")
def shown(package):
    """A run of which 10 s are missing."""
    told = runs.columns(package, every=20)
    kept = (told.time < runs.STARTED + 100) | (told.time > runs.STARTED + 110)
    told = Columns(told.time[kept], {name: values[kept] for name, values in told.values.items()})
    silence = Silence(runs.STARTED + 100, runs.STARTED + 110, "connection lost")
    return compare_load(package, runs.make_execution(package, runs.run(package, told, silences=(silence,))))


def test_a_step_has_the_mean_of_its_samples(package, shown):
    trace = shown.execution.trace
    step = trace.alignment.step[trace.passage.rows]
    net, weight = trace.loads["power"].net, trace.passage.weight
    for at in range(0, len(shown.measured), 97):
        mine = (step == at) & (weight > 0)
        expected = np.average(net[mine], weights=weight[mine]) if mine.any() else np.nan
        assert shown.measured[at] == pytest.approx(expected, nan_ok=True)


def test_the_ratio_is_what_the_cut_was_made_to_take(package, shown):
    operation = package.job.toolpath.operation[package.steps.move]
    for index, gain in enumerate(runs.GAIN):
        strong = (operation == index) & (package.steps.power > 5.0)
        assert np.nanmedian(shown.ratio[strong]) == pytest.approx(gain, rel=0.04)
    assert np.isnan(shown.ratio[package.steps.volume == 0]).sum() > 0


def test_what_was_not_seen_has_no_color_and_is_hatched(shown):
    begin, end = shown.gaps[0]
    assert end - begin == pytest.approx(40.0, rel=0.1)  # 10 s at 240 mm/min
    inside = (shown.samples.way > begin) & (shown.samples.way < end)
    assert not inside.any()
    assert np.isnan(shown.measured).sum() > 10
    with style.styled():
        hatched = [each for each in comparison_charts.strips(shown).axes[0].patches if each.get_hatch()]
    assert len(hatched) == len(shown.gaps)


def test_the_scale_of_ratios_is_white_where_they_agree(shown):
    coloring = by_ratio(shown)
    low, high = coloring.scale.vmin, coloring.scale.vmax
    assert low * high == pytest.approx(1.0)
    middle, less, more = coloring.palette(coloring.scale(np.array([1.0, low, high])))[:, :3]
    assert np.ptp(middle) < 0.03
    assert less[2] > less[0]
    assert more[0] > more[2]
    assert coloring.extend == "both"


def test_no_spike_hides_the_rest(shown):
    values = by_measured(shown).values
    assert np.nanmax(values) == by_measured(shown).scale.vmax
    with style.styled():
        axes = path_view.path_figure(shown, by_measured(shown)).axes[0]
    lines = next(each for each in axes.collections if isinstance(each, LineCollection) and each.get_array() is not None)
    assert len(lines.get_segments()) == len(shown.measured)


def test_the_same_run_gives_the_same_page_and_picture(shown):
    assert comparison.comparison_html(shown) == comparison.comparison_html(shown)
    assert comparison.comparison_png(shown) == comparison.comparison_png(shown)


def test_a_run_without_a_load_is_drawn_and_says_so(package):
    bare = runs.make_execution(package, runs.run(package, runs.columns(package, every=50, power=None)))
    page = comparison.comparison_html(compare_load(package, bare))
    assert "The run contains no load of the cut." in page
    assert "On the toolpath" not in page
    assert Spent.CUTTING in bare.trace.passage.spent
