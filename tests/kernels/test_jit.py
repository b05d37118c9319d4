# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kernel gives the same numbers whether it has just been compiled or was found in the cache, and without jit_fast."""

import gc
import json
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
FAST = pytest.mark.skipif(
    jit.PATH != "fast", reason="the plain path promises none of this (make test-versions runs the fast one, too)"
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


def in_another_process(code: str, folder: Path, **environment: str) -> str:
    """Run ``code`` as a file in ``folder``, with a kernel cache beside it, and return what it prints."""
    paths = [str(ROOT), str(ROOT / "kernels"), str(ROOT / "tests")]
    file = folder / "code.py"
    file.write_text(f"import sys\nsys.path[:0] = {paths!r}\n{code}", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, str(file)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CAMTWIN_CACHE": str(folder), "CAMTWIN_JIT": "auto"} | environment,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@FAST
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


@FAST
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


@FAST
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


@FAST
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


#: A pocket's first moves: what is left of the stock, what each step removed, and how deep and wide it cut.
ENGAGEMENT = """
import json
import numpy as np
from camtwin_kernels import jit
from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.job.job import Stock
from reference_engagement import job, toolpath
with np.load({data!r}) as data:
    points = np.cumsum(data["steps"][:{moves}].astype(np.int64), axis=0) * 1e-4
result, left = engage(job(toolpath(points), stock=Stock((0, 0, -30), (150, 100, 0))), cell=0.5, slices=1)
columns = dict(volume=result.volume, ap=result.ap, ae=result.ae, phi_st=result.phi_st, phi_ex=result.phi_ex)
print(json.dumps([jit.PATH, jit.CACHE_FOLDER, dict(left=int(left.height.sum())) | {{
    name: column.tolist() for name, column in columns.items()}}]))
"""


def engagement(folder: Path, moves: int, **environment: str) -> tuple[str, str, dict[str, object]]:
    """Return the path of compilation, its folder and the engagement as computed by another process."""
    data = ROOT / "tests" / "data" / "engagement_jobs" / "adaptive.npz"
    code = ENGAGEMENT.format(data=str(data), moves=moves)
    path, cache, columns = json.loads(in_another_process(code, folder, **environment))
    return path, cache, columns


@FAST
@COMPILED
def test_the_plain_path_computes_the_same_engagement(tmp_path: Path) -> None:
    # With the cache of this session: nothing is compiled again until a kernel changes.
    cache = str(Path(jit.CACHE_FOLDER).parents[1])
    plain, plain_folder, expected = engagement(tmp_path, 3000, CAMTWIN_CACHE=cache, CAMTWIN_JIT="plain")
    fast, fast_folder, columns = engagement(tmp_path, 3000, CAMTWIN_CACHE=cache)
    assert (plain, fast) == ("plain", "fast")
    assert plain_folder != fast_folder
    for name, values in columns.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-12, atol=0, err_msg=name)
    assert max(columns["volume"]) > 0
    assert list(Path(plain_folder).rglob("*.nbc"))


@pytest.mark.parametrize(
    "absent",
    [
        "delattr('numba.core.caching.Cache._load_overload')",
        "delattr('numba.core.codegen.JITCodeLibrary')",
        "delattr('numba.core.cpu._options_mixin.forceinline')",
        "setattr('numba.core.types.functions.BaseFunction.get_call_type', lambda self, call: None)",
        "setattr('numba.core.codegen.CPUCodegen._module_pass_manager', lambda self, **_: object())",
        "setattr('numba.__version__', '1.7.0')",
    ],
    ids=["method", "class", "option", "parameters", "passes", "version"],
)
@FAST
@COMPILED
def test_a_numba_that_lacks_a_part_is_used_by_its_public_interface(tmp_path: Path, absent: str) -> None:
    code = f"""
import numba
import numpy as np
import pytest
with pytest.MonkeyPatch.context() as patch:
    patch.{absent}
    from camtwin_kernels import jit
assert jit.PATH == "plain" and "numba" in jit.REASON_FOR_PLAIN, jit.REASON_FOR_PLAIN
@jit.lean_part
def half(x):
    return 0.5 * x
@jit.lean_kernel
def halve(x):
    for i in range(x.size):
        x[i] = half(x[i])
x = np.array([3.0, 5.0])
halve(x)
assert halve.signatures and x.tolist() == [1.5, 2.5]
"""
    in_another_process(code, tmp_path)


@FAST
def test_an_untested_numba_is_used_fast_if_the_user_asks_for_it(tmp_path: Path) -> None:
    code = "import numba\nnumba.__version__ = '1.7.0'\nfrom camtwin_kernels import jit\nprint(jit.PATH)"
    assert in_another_process(code, tmp_path, CAMTWIN_JIT="fast", NUMBA_DISABLE_JIT="0").strip() == "fast"


def test_a_misspelled_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="CAMTWIN_JIT is 'plane': it must be auto, fast or plain"):
        in_another_process("from camtwin_kernels import jit", tmp_path, CAMTWIN_JIT="plane")


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.0.0",
    reason="before numpy 2, an unsigned and a signed integer make a float when Python runs a kernel",
)
def test_kernels_run_as_python_where_numba_may_not_compile(tmp_path: Path) -> None:
    path, _, columns = engagement(tmp_path, 40, NUMBA_DISABLE_JIT="1")
    assert path == "plain"
    assert not list(tmp_path.rglob("*.nbc"))
    assert max(columns["volume"]) > 0


@FAST
@COMPILED
def test_a_kernel_from_the_cache_loads_nothing_that_only_compiling_needs(tmp_path: Path) -> None:
    code = """
import sys
import numpy as np
from camtwin_kernels import drilling
drilling.maker_drilling(np.ones(3), np.ones(3), 6.0, 1.0, np.empty(3), np.empty(3))
print("numba.np.linalg" in sys.modules)
"""
    assert in_another_process(code, tmp_path).strip() == "True"
    assert in_another_process(code, tmp_path).strip() == "False"
