# SPDX-License-Identifier: LGPL-2.1-or-later
"""An execution beside its document comes back as it was, and a bad file harms nothing."""

import hashlib
import io
import json
import struct
import zipfile

import numpy as np
import pytest

import runs
from freecad_camtwin.errors import InputError, OutputError
from freecad_camtwin.twin.runs.file import folder_of, load_execution, save_execution, written


@pytest.fixture(scope="module")
def execution(tmp_path_factory):
    package = runs.package(tmp_path_factory.mktemp("job"))
    return runs.make_execution(package, runs.run(package, runs.columns(package, every=50)))


@pytest.fixture
def saved(execution, tmp_path):
    return save_execution(execution, folder_of(tmp_path / "part.FCStd"))


def test_it_comes_back_as_it_was(execution, saved):
    path, sha256 = saved
    again = load_execution(path, sha256)
    assert path.parent.name == "part.camtwin"
    for name in ("about", "figures", "operations", "quality", "notes"):
        assert getattr(again, name) == getattr(execution, name)
    assert again.moves.keys() == execution.moves.keys()
    for name, values in execution.moves.items():
        assert np.array_equal(again.moves[name], values, equal_nan=True)
    assert again.load == "power"


def test_the_same_execution_gives_the_same_files(execution, saved):
    assert written(execution) == written(execution)
    before = {path.name: path.read_bytes() for path in saved[0].parent.iterdir()}
    assert save_execution(execution, saved[0].parent) == saved
    assert {path.name: path.read_bytes() for path in saved[0].parent.iterdir()} == before
    assert len(before) == 2


def test_a_package_that_has_the_folders_name_is_left_alone(execution, tmp_path):
    (tmp_path / "part.camtwin").write_bytes(b"package")
    path, sha256 = save_execution(execution, folder_of(tmp_path / "part.FCStd"))
    assert path.parent.name == "part.camtwin-runs"
    assert load_execution(path, sha256).about == execution.about
    assert (tmp_path / "part.camtwin").read_bytes() == b"package"


def arrays_of(saved):
    return next(saved[0].parent.glob("*.npz"))


def change(path, **entries):
    """Change entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def rewritten(saved, **arrays):
    """Replace the arrays, with a JSON that names their new hash."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    replaced(saved, stream.getvalue())


def replaced(saved, packed):
    """Replace the file of the arrays, with a JSON that names its new hash."""
    arrays_of(saved).write_bytes(packed)
    said = json.loads(saved[0].read_text())["arrays"] | {"sha256": hashlib.sha256(packed).hexdigest()}
    change(saved[0], arrays=said)


def repacked(saved, packing=zipfile.ZIP_STORED, shape=None):
    """Pack the arrays anew, in another way or with headers that claim another shape."""
    stream = io.BytesIO()
    with zipfile.ZipFile(arrays_of(saved)) as old, zipfile.ZipFile(stream, "w", packing) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data if shape is None else header(shape) + data[128:])
    replaced(saved, stream.getvalue())


def header(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": "<f8"})
    return stream.getvalue()


def damaged_lzma(saved):
    repacked(saved, zipfile.ZIP_LZMA)
    packed = bytearray(arrays_of(saved).read_bytes())
    packed[70:100] = bytes(30)
    replaced(saved, bytes(packed))


def encrypted(saved):
    """Say of every entry that it is encrypted."""
    repacked(saved)
    packed = bytearray(arrays_of(saved).read_bytes())
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        at, infos = archive.start_dir, archive.infolist()
    for info in infos:
        packed[info.header_offset + 6] |= 1
        packed[at + 8] |= 1
        at += 46 + sum(struct.unpack_from("<3H", packed, at + 28))
    replaced(saved, bytes(packed))


DAMAGES = {
    "no JSON": (lambda saved: saved[0].unlink(), "is missing"),
    "no arrays": (lambda saved: arrays_of(saved).unlink(), "is missing"),
    "not JSON": (lambda saved: saved[0].write_text("oops"), "is no execution, or it is damaged"),
    "deep JSON": (lambda saved: saved[0].write_text("[" * 100_000), "is no execution, or it is damaged"),
    "another version": (lambda saved: change(saved[0], schema="camtwin.execution/9"), "'camtwin.execution/9'"),
    "an unknown entry": (lambda saved: change(saved[0], more=1), "is no execution"),
    "a wrong type": (lambda saved: change(saved[0], quality="good"), "is no execution"),
    "other arrays": (lambda saved: arrays_of(saved).write_bytes(b"PK"), "not those that were written"),
    "objects": (lambda saved: rewritten(saved, time=np.array([{}, []], object)), "is damaged"),
    "too few": (lambda saved: rewritten(saved, time=np.zeros(3)), "is damaged"),
    "damaged LZMA": (damaged_lzma, "neither stored nor deflated"),
    "encrypted": (encrypted, "is damaged"),
    "a huge shape": (lambda saved: repacked(saved, shape=(900_000_000_000,)), "another length than its header states"),
    "a bomb": (lambda saved: rewritten(saved, time=np.zeros(1_000_000)), "would unpack to more"),
    "a path away": (lambda saved: change(saved[0], arrays=_elsewhere(saved)), "list of arrays is not valid"),
}


def _elsewhere(saved):
    return json.loads(saved[0].read_text())["arrays"] | {"file": "../../secret.npz"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_one_sentence(saved, damage):
    act, sentence = DAMAGES[damage]
    act(saved)
    with pytest.raises(InputError) as caught:
        load_execution(saved[0])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_execution_in_its_place_is_refused(saved):
    with pytest.raises(InputError, match="not the execution that the document refers to"):
        load_execution(saved[0], "0" * 64)


def test_a_folder_that_cannot_be_made_is_one_sentence(execution, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        save_execution(execution, tmp_path / "file" / "part.camtwin")
