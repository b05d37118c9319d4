# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin compare``: a run beside its prediction, from a recording or a table, or one sentence why not."""

import csv
import json
import sys
from html.parser import HTMLParser

import pytest

import runs
from calling import ROOT, here, one_sentence
from freecad_camtwin.store.export_parquet import export_parquet
from freecad_camtwin.twin.package.package import save_package


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A folder with a package and a recording of its run, of which 6 s are missing."""
    folder = tmp_path_factory.mktemp("compare")
    package = runs.package(folder)
    save_package(package, folder / "cover.camtwin")
    told = runs.columns(package, every=20)
    kept = (told.time < runs.STARTED + 120) | (told.time > runs.STARTED + 126)
    told = type(told)(told.time[kept], {name: values[kept] for name, values in told.values.items()})
    gap = (runs.STARTED + 120, runs.STARTED + 126, "connection lost")
    runs.record(folder / "cover.run", package, told, gaps=[gap])
    with (folder / "cover.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "x", "y", "z", "line", "spindle_power"])
        names = ("x", "y", "z", "line", "power")
        writer.writerows(zip(told.time, *(told.values[name] for name in names), strict=True))
    return folder


class _Page(HTMLParser):
    """Collects what a page would fetch from elsewhere, and its text."""

    def __init__(self):
        super().__init__()
        self.fetched, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        self.fetched += [said[name] for name in ("src", "href") if name in said and tag != "use"]
        self.fetched += [tag] if tag == "script" else []

    def handle_data(self, data):
        self.text += data


def test_a_recording_gives_table_page_picture_and_figures(job, tmp_path):
    called = here(
        "compare", job / "cover.run", "--job", job / "cover.camtwin", "--html", tmp_path / "c.html", "--png",
        tmp_path / "c.png", "--json", tmp_path / "c.json",
    )  # fmt: skip
    assert called.code == 0, called.err
    assert "these data are simulated" in called.out
    assert "of which 6.0 s have no data" in called.out
    assert "Adaptive006" in called.out
    said = json.loads((tmp_path / "c.json").read_text())
    assert said["schema"] == "camtwin.comparison/1"
    (only,) = said["executions"]
    for figures, gain in zip(only["operations"], runs.GAIN, strict=True):
        assert figures["loads"]["power"]["ratio"] == pytest.approx(gain, rel=0.05)
    assert only["quality"]["dropped"] == {"late or doubled": 7}
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    page = _Page()
    page.feed((tmp_path / "c.html").read_text(encoding="utf-8"))
    assert [each for each in page.fetched if not each.startswith(("data:", "#"))] == []
    assert "These data are simulated: no machine ran." in page.text
    assert "'Adaptive006' has data for 97" in page.text


def test_the_run_that_comes_along_is_compared():
    """LinuxCNC ran it; its power was made 1.15 times the predicted at the motor; 0.85 of it come to the tool."""
    run, package = ROOT / "examples" / "coverglass.run", ROOT / "examples" / "coverglass.camtwin"
    called = here("compare", run, "--job", package, "--json", "-")
    assert called.code == 0, called.err
    (only,) = json.loads(called.out)["executions"]
    assert only["figures"]["cycle_time"] == pytest.approx(267.0, abs=1.0)
    assert only["quality"]["seen"] > 0.98
    for figures in only["operations"]:
        if figures["length"] > 0:
            assert figures["loads"]["power"]["ratio"] == pytest.approx(1.15 * 0.85, abs=0.02)
            assert figures["loads"]["power"]["idle"] == pytest.approx(40.0, abs=0.2)


def test_a_run_exported_as_parquet_is_compared_as_its_recording_is(job, tmp_path):
    export_parquet(job / "cover.run", tmp_path / "cover.parquet")
    told = []
    for run in (job / "cover.run", tmp_path / "cover.parquet"):
        called = here("compare", run, "--job", job / "cover.camtwin", "--json", "-")
        assert called.code == 0, called.err
        told.append(json.loads(called.out))
    assert told[0]["executions"][0]["quality"]["seen"] < 1.0
    assert told[0]["executions"] == json.loads(json.dumps(told[1]["executions"]).replace(".parquet", ".run"))


def test_without_pyarrow_a_parquet_run_is_one_sentence_with_the_way_out(job, tmp_path, monkeypatch):
    export_parquet(job / "cover.run", tmp_path / "cover.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    called = here("compare", tmp_path / "cover.parquet", "--job", job / "cover.camtwin")
    assert "pip install 'freecad-camtwin[store]'" in one_sentence(called)


def test_a_table_that_names_no_path_is_judged_by_its_fit(job):
    called = here("compare", job / "cover.csv", "--job", job / "cover.camtwin")
    assert called.code == 0, called.err
    assert "its samples fit this path" in called.out
    assert "Profile003" in called.out


def test_a_load_that_nothing_predicts_is_shown_alone(job, tmp_path):
    (tmp_path / "map.toml").write_text(
        "".join(
            f'[[signals]]\nitem = "{item}"\nmeaning = "{meaning}"\n'
            for item, meaning in {
                "x": "POSITION_X", "y": "POSITION_Y", "z": "POSITION_Z", "spindle_power": "SPINDLE_CURRENT",
            }.items()
        )
    )  # fmt: skip
    called = here(
        "compare", job / "cover.csv", "--job", job / "cover.camtwin", "--signals", tmp_path / "map.toml", "--html",
        tmp_path / "c.html",
    )  # fmt: skip
    assert called.code == 0, called.err
    assert "there is no prediction for it" in called.out
    assert "unknown: no load is both measured and predicted" not in called.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("absent.run",), "absent.run does not exist"),
        (("cover.ngc",), "is neither a recording of CAM Twin nor a table"),
        (("odd.csv",), "has no column of times"),
        (("strange.csv",), "no column of strange.csv is recognized by its name"),
        (("elsewhere.csv",), "nothing of elsewhere.csv lies on the path of 'cover'"),
        (("foreign.run",), "was recorded along another path (ffffffffffff…)"),
        (("damaged.run",), "damaged.run"),
        (("cover.run", "--part", "2"), "there is no part 2"),
        (("cover.run", "--html", "cover.run"), "is the input itself"),
        (("cover.run", "--html", "no/c.html"), "does not exist"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence_and_leaves_nothing(job, words, sentence, monkeypatch):
    (job / "odd.csv").write_text("a,b\n1,2\n")
    (job / "strange.csv").write_text("time,colour\n1,2\n2,3\n")
    (job / "elsewhere.csv").write_text("time,x,y,z\n" + "".join(f"{t},{t},{9 * t},{-t}\n" for t in range(200)))
    package = runs.package(job)
    if not (job / "foreign.run").exists():
        runs.record(job / "foreign.run", package, runs.columns(package, every=500), toolpath_hash="f" * 64)
    (job / "damaged.run").write_bytes((job / "cover.run").read_bytes()[:9000])
    before = {path.name: path.read_bytes() for path in job.iterdir() if path.is_file()}
    rest = words[1:] if "--html" in words else (*words[1:], "--html", "c.html")
    monkeypatch.chdir(job)
    assert sentence in one_sentence(here("compare", words[0], "--job", "cover.camtwin", *rest))
    assert {path.name: path.read_bytes() for path in job.iterdir() if path.is_file()} == before
