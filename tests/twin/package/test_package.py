# SPDX-License-Identifier: LGPL-2.1-or-later
"""A package carries a job to the machine's side and back unchanged, and a bad one harms nothing."""

import hashlib
import io
import json
import math
import pickle
import zipfile
from dataclasses import fields

import numpy as np
import pytest

from freecad_camtwin.errors import InputError, OutputError
from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.package.package import PredictedSteps, load_package, make_package, save_package
from freecad_camtwin.twin.signals.signal_map import Meaning, Signal, SignalMap
from plan_jobs import job_of, passes
from posted import post

MANIFEST, DOCUMENT = "manifest.json", "package.json"
SIGNALS = SignalMap(
    (Signal("line", Meaning.LINE_NUMBER), Signal("watt", Meaning.SPINDLE_POWER, unit="kW")), name="mill"
)


@pytest.fixture(scope="module")
def analysis():
    return analyze(job_of(passes(rows=3)), machine="linuxcnc_sim", cell=0.5)


@pytest.fixture(scope="module")
def posted(analysis, tmp_path_factory):
    path = tmp_path_factory.mktemp("posted") / "part.ngc"
    path.write_text(post(analysis.job.toolpath, inches=True, decimals=4, numbered=True)[0])
    return path


@pytest.fixture(scope="module")
def package(analysis, posted):
    return make_package(analysis, posted, signals=SIGNALS)


@pytest.fixture
def saved(package, tmp_path):
    save_package(package, tmp_path / "part.camtwin")
    return tmp_path / "part.camtwin"


def rewrite(path, change, packing=zipfile.ZIP_STORED):
    """Rewrite a package with its entries changed, and its manifest made to fit again."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(entries.pop(MANIFEST))
    change(entries, manifest)
    manifest["entries"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in entries.items()
    }
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest))
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def npy(values, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, **options)
    return stream.getvalue()


def header(shape, descr="<f8"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": descr})
    return stream.getvalue()


def test_a_package_comes_back_as_it_was(package, saved, analysis, posted):
    again = load_package(saved)
    assert again.toolpath_hash == package.toolpath_hash == analysis.job.toolpath.hash
    assert again.program == "part.ngc"
    assert again.program_sha256 == hashlib.sha256(posted.read_bytes()).hexdigest()
    for name in ("job", "lines", "steps"):
        assert type(getattr(again, name)) is type(getattr(package, name))
    assert again.job.tools == package.job.tools
    assert again.job.operations == package.job.operations
    assert again.lines.program.hash == package.lines.program.hash
    for name in ("move", "operation", "begin", "end"):
        np.testing.assert_array_equal(getattr(again.lines, name), getattr(package.lines, name))
    for item in fields(PredictedSteps):
        np.testing.assert_array_equal(getattr(again.steps, item.name), getattr(package.steps, item.name))
    np.testing.assert_array_equal(again.start, package.start)
    np.testing.assert_array_equal(again.time, package.time)
    assert (again.limits, again.material, again.machine) == (package.limits, package.material, package.machine)
    assert again.signals == SIGNALS
    assert again.warnings == package.warnings


def test_steps_say_where_in_their_move_they_are_and_what_the_analysis_predicts(package, analysis):
    steps, path = package.steps, analysis.job.toolpath
    cutting = path.is_cutting[steps.move]
    last = np.append(np.diff(steps.move) != 0, True)
    first = np.append(True, np.diff(steps.move) != 0)
    np.testing.assert_allclose(steps.begin[first & cutting], 0.0, atol=1e-9)
    np.testing.assert_allclose(steps.end[last & cutting], path.length[steps.move[last & cutting]], rtol=1e-9)
    np.testing.assert_allclose(steps.begin[~first], steps.end[:-1][~first[1:]], rtol=1e-9)
    np.testing.assert_array_equal(steps.power, analysis.load.power)
    assert steps.integrals.shape == (len(steps.move), 4, 6)


def test_predicted_times_are_those_of_the_program_on_the_machine(package):
    assert (np.diff(package.start) >= -1e-9).all()
    assert package.time[package.lines.program.is_cutting].min() > 0
    feed = package.lines.program.is_cutting
    naive = package.lines.program.length[feed] / package.lines.program.feed[feed]
    assert (package.time[feed] > 0.99 * naive).all()


def test_without_a_program_the_path_stands_for_itself(analysis):
    alone = make_package(analysis)
    np.testing.assert_array_equal(alone.lines.move, np.arange(analysis.job.toolpath.moves))
    assert alone.program_sha256 is None


def test_the_program_of_another_part_is_refused(analysis, tmp_path):
    (tmp_path / "other.ngc").write_text("G21 G90\nG0 X900 Y900 Z5\nG1 Z-1 F100\nG1 X950\nM2\n")
    with pytest.raises(InputError, match=r"other\.ngc has no feed move"):
        make_package(analysis, tmp_path / "other.ngc")


def test_an_old_package_stays_whole_when_a_new_one_cannot_be_written(package, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        save_package(package, tmp_path / "no" / "such" / "folder.camtwin")
    save_package(package, tmp_path / "a.camtwin")
    save_package(package, tmp_path / "a.camtwin")
    assert [path.name for path in tmp_path.iterdir()] == ["a.camtwin"]
    load_package(tmp_path / "a.camtwin")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_package_gets_a_sentence(saved, share):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError):
        load_package(saved)


def test_a_package_with_flipped_bytes_is_refused_or_the_same(saved, package):
    data = saved.read_bytes()
    rng = np.random.default_rng(5)
    for at in rng.integers(0, len(data), 60):
        saved.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        try:
            again = load_package(saved)
        except InputError:
            continue
        assert again.toolpath_hash == package.toolpath_hash
        np.testing.assert_array_equal(again.steps.power, package.steps.power)


def test_garbage_and_absence_get_a_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_package(tmp_path / "none.camtwin")
    with pytest.raises(InputError, match="cannot be read"):
        load_package(tmp_path)
    (tmp_path / "noise.camtwin").write_bytes(bytes(range(256)) * 50)
    with pytest.raises(InputError, match="not a CAM Twin package"):
        load_package(tmp_path / "noise.camtwin")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match="no manifest"):
        load_package(tmp_path / "other.zip")


def test_another_version_is_named(saved):
    rewrite(saved, lambda entries, manifest: manifest.update(schema="camtwin.package/9"))
    with pytest.raises(InputError, match=r"camtwin\.package/9"):
        load_package(saved)


def test_a_changed_entry_is_noticed(saved):
    with zipfile.ZipFile(saved) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    power = bytearray(entries["steps.power.npy"])
    power[-1] ^= 1
    entries["steps.power.npy"] = bytes(power)
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match=r"'steps\.power\.npy' was changed"):
        load_package(saved)


def test_another_toolpath_under_the_same_name_is_noticed(saved):
    def change(entries, manifest):
        manifest["toolpath_hash"] = "0" * 64

    with pytest.raises(InputError, match="toolpath is not the one"):
        load_package(rewrite(saved, change))


def test_an_entry_that_climbs_out_of_the_folder_is_refused(saved):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("../../evil.sh", "echo")
    with pytest.raises(InputError, match="not those of its manifest"):
        load_package(saved)
    assert not (saved.parent.parent.parent / "evil.sh").exists()


def test_a_zip_bomb_is_not_unpacked(saved, monkeypatch):
    monkeypatch.setattr("freecad_camtwin.twin.package.package.LARGEST", 10_000_000)
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", b"\0" * 20_000_000)
    assert saved.stat().st_size < 1_000_000
    with pytest.raises(InputError, match="unpack to more"):
        load_package(saved)


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_is_packed_in_another_way_is_not_unpacked(saved, packing):
    rewrite(saved, lambda entries, manifest: None, packing)
    with zipfile.ZipFile(saved) as archive:
        at = archive.getinfo(DOCUMENT).header_offset + 30 + len(DOCUMENT) + 20
    data = bytearray(saved.read_bytes())
    data[at : at + 20] = bytes(20)
    saved.write_bytes(data)
    with pytest.raises(InputError, match="neither stored nor deflated"):
        load_package(saved)


class Evil:
    def __reduce__(self):
        return (open, ("camtwin-was-here", "w"))


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("steps.power.npy", npy(np.array([Evil()], object), allow_pickle=True), "other than numbers"),
        ("steps.power.npy", pickle.dumps(Evil()), "other than numbers"),
        ("steps.power.npy", header("("), "other than numbers"),
        ("steps.power.npy", header("-" * 9000), "other than numbers"),
        ("steps.power.npy", header((10**15,)), "another length"),
        ("steps.power.npy", header((-1,)), ""),
        ("steps.power.npy", npy(np.zeros(3)), "does not fit its steps"),
        ("steps.power.npy", npy(np.array(["x"])), "other than numbers"),
        ("steps.move.npy", npy(np.full(3, 7, np.int32)), "does not fit"),
        ("lines.move.npy", npy(np.zeros(3, np.int32)), "does not fit its program"),
        ("start.npy", npy(np.zeros((2, 2))), "does not fit its program"),
        ("toolpath.end.npy", npy(np.full((3, 3), np.nan)), ""),
        (DOCUMENT, b"{}", ""),
        (DOCUMENT, b"[" * 100_000, ""),
        (DOCUMENT, b"\xff\xfe", ""),
        (DOCUMENT, b'{"job": 3}', ""),
    ],
)
def test_hostile_entries_get_a_sentence_and_run_nothing(saved, tmp_path, monkeypatch, name, data, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        load_package(rewrite(saved, lambda entries, manifest: entries.update({name: data})))
    assert sentence in str(caught.value)
    assert str(saved) in str(caught.value)
    assert not (tmp_path / "camtwin-was-here").exists()


def test_moves_that_the_path_does_not_have_are_refused(saved, package):
    move = package.lines.move.copy()
    move[0] = 10_000
    with pytest.raises(InputError, match="does not have"):
        load_package(rewrite(saved, lambda entries, manifest: entries.update({"lines.move.npy": npy(move)})))


def with_array(path, name, change):
    """Rewrite a package with one of its arrays changed."""

    def changed(entries, manifest):
        entries[f"{name}.npy"] = npy(change(np.load(io.BytesIO(entries[f"{name}.npy"]))))

    return rewrite(path, changed)


@pytest.mark.parametrize(
    "name", ["steps.power", "steps.volume", "steps.begin", "steps.integrals", "steps.move", "time"]
)
@pytest.mark.parametrize("change", [lambda a: np.stack([a] * 3, axis=-1), lambda a: np.zeros(a.shape, np.int8)])
def test_arrays_of_another_shape_or_type_are_refused(saved, name, change):
    with pytest.raises(InputError, match=f"its array '{name}' does not fit its"):
        load_package(with_array(saved, name, change))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("start", math.nan, "one of its predicted times"),
        ("time", math.inf, "one of its predicted times"),
        ("time", -1.0, "one of its predicted times"),
        ("reported", math.inf, "one of its predicted times"),
        ("program.toolpath.line", 2_000_000_000, "names line 2000000000"),
    ],
)
def test_values_that_cannot_be_are_refused(saved, name, value, sentence):
    def change(values):
        values[-1] = value
        return values

    with pytest.raises(InputError, match=sentence):
        load_package(with_array(saved, name, change))
