# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kernel gives the same numbers whether it has just been compiled or was found in the cache."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core import event

from camtwin_kernels import jit

ROOT = Path(__file__).parents[2]
COMPILED = pytest.mark.skipif(
    jit.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT is set: no machine code is made (make test runs both ways)"
)

#: A pocket's many directions: each cell's side of the path is rounded to a quantum, and one in a thousand either way.
CUT = """
import hashlib, sys
sys.path[:0] = {path!r}
import numpy as np
from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.job.job import Stock
from reference_engagement import job, toolpath
with np.load({data!r}) as data:
    points = np.cumsum(data["steps"][:20000].astype(np.int64), axis=0) * 1e-4
found, left = engage(job(toolpath(points), stock=Stock((0, 0, -30), (150, 100, 0))), cell=0.2, slices=1)
columns = [left.height, found.volume, found.ap, found.ae, found.phi_st, found.phi_ex, found.slice_ap]
print(hashlib.sha256(b"".join(np.ascontiguousarray(column).tobytes() for column in columns)).hexdigest())
"""


@COMPILED
def test_a_cold_cache_and_a_warm_one_give_the_same_bits(tmp_path: Path) -> None:
    data = ROOT / "tests" / "data" / "engagement_jobs" / "adaptive.npz"
    code = CUT.format(path=[str(ROOT), str(ROOT / "kernels"), str(ROOT / "tests")], data=str(data))
    cold, warm = (
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"CAMTWIN_CACHE": str(tmp_path)},
        ).stdout
        for _ in range(2)
    )
    assert len(cold) == 65
    assert cold == warm


@jit.lean_part
def _half(x: float) -> float:
    return 0.5 * x


@jit.lean_kernel
def _halve(x: np.ndarray) -> None:
    for i in range(x.size):
        x[i] = _half(x[i])


@COMPILED
def test_a_part_lies_inside_its_kernel_and_python_cannot_call_it() -> None:
    x = np.ones(3)
    _halve(x)
    assert x.tolist() == [0.5, 0.5, 0.5]
    for argument in (1.0, 1):
        with pytest.raises(TypeError, match="_half is a part of kernels"):
            _half(argument)


@jit.lean_kernel
def _cap(x: np.ndarray) -> None:
    for i in range(x.size):
        x[i] = min(x[i], np.int16(5)) + round(abs(x[i]) + 0.4)


@COMPILED
def test_what_numba_wrote_serves_other_kernels_too_after_it_lay_in_ours() -> None:
    x = np.array([3, 8, -2], np.int16)
    _cap(x)
    assert x.tolist() == [6, 13, 0]
    theirs = numba.njit(lambda a, b: (min(a, b), round(a + 0.4)))
    assert theirs(np.int16(8), np.int16(5)) == (5, 8)


class _Watch(event.Listener):
    def __init__(self) -> None:
        self.seen: list[bool] = []

    def on_start(self, event: object) -> None:
        self.seen.append(gc.isenabled())

    def on_end(self, event: object) -> None:
        self.seen.append(gc.isenabled())


@COMPILED
@pytest.mark.parametrize("is_on", [True, False])
def test_garbage_waits_while_a_kernel_compiles(is_on: bool) -> None:
    (gc.enable if is_on else gc.disable)()
    try:
        with event.install_listener("numba:run_pass", _Watch()) as watch:
            assert numba.njit(lambda x: x + 1)(1) == 2
        assert watch.seen
        assert not any(watch.seen)
        assert gc.isenabled() is is_on
    finally:
        gc.enable()
