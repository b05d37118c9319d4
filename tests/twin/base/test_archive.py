# SPDX-License-Identifier: LGPL-2.1-or-later
"""An archive gives back what was put into it, and no more than it was allowed to hold."""

import io
import zipfile

import numpy as np
import pytest

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.archive import read_arrays, read_entries


def as_npy(values):
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def zipped(**entries):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<i4", "<u2", "|i1", "|b1"])
def test_an_array_comes_back_as_numpy_wrote_it_in_whichever_order_it_lies(order, dtype):
    values = np.array(np.arange(24).reshape(2, 3, 4), dtype=dtype, order=order)
    assert np.isfortran(values) == (order == "F")
    read = read_arrays({"values.npy": as_npy(values)})["values"]
    np.testing.assert_array_equal(read, values)
    assert read.dtype == values.dtype


def test_an_archive_may_hold_as_much_as_is_allowed_and_not_a_byte_more():
    file = zipped(one=b"12345", other=b"67890")
    assert read_entries(file, 10) == {"one": b"12345", "other": b"67890"}
    with pytest.raises(InputError, match="more than 9 bytes"):
        read_entries(file, 9)
