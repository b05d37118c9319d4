# SPDX-License-Identifier: LGPL-2.1-or-later
"""The decorators of every kernel: how kernels are compiled, and where their machine code is kept.

There are two ways to compile, and ``PATH`` names the one in use:

- ``"fast"`` uses private parts of numba (``jit_fast``). It is used with the versions of numba that it was tested with,
  if they still have every part that it needs.
- ``"plain"`` uses the public interface of numba only, and works with any version.

The environment variable ``CAMTWIN_JIT`` chooses: ``auto`` (the default) as above, ``plain`` never uses private parts,
and ``fast`` tries them with an untested version of numba, too.

Both compute the same formulas; their results differ by rounding only. The plain path promises less:

- A result may differ in its last digits between the session that compiles and a later one, which takes the kernel from
  the cache: numba links the parts of a kernel by name, and optimizes them again for the copy that it keeps.
- Compiling and cutting take longer, and the first analysis of a process loads more of numba.
- Python can call a part. No kernel depends on that.

numba's cache compares the source file of the compiled function only. It misses a changed callee or constant in another
file, and a kernel with an old tile size writes past its arrays. So the machine code lies in a folder whose name holds a
hash of *all* kernel sources, the version of numba and the path: if one of them changes, another folder is used. It is
in the user's cache and not beside the sources, because an addon's folder may be read-only. ``CAMTWIN_CACHE`` moves it;
numba's own ``NUMBA_CACHE_DIR`` does not.
"""

import hashlib
import os
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

#: numba's configuration, whose settings are attributes that it makes at run time.
config: Any = numba.config

F = TypeVar("F", bound=Callable[..., object])

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    # No "nnan" and no "ninf": unknown feeds and speeds travel through the kernels as NaN.
    "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"},
}


def _fast_path() -> tuple[Any, str]:
    """Return the module of the fast path, or None and the reason why it is not used."""
    choice = os.environ.get("CAMTWIN_JIT", "auto")
    if choice not in ("auto", "fast", "plain"):
        raise ValueError(f"CAMTWIN_JIT is {choice!r}: it must be auto, fast or plain")
    if choice == "plain":
        return None, "CAMTWIN_JIT is plain"
    if config.DISABLE_JIT:
        return None, "NUMBA_DISABLE_JIT is set"
    try:
        from camtwin_kernels import jit_fast
    except (ImportError, AttributeError) as error:
        return None, f"numba {numba.__version__} lacks a part: {error}"
    missing = jit_fast.missing(any_version=choice == "fast")
    return (None, missing) if missing else (jit_fast, "")


_fast, REASON_FOR_PLAIN = _fast_path()
if _fast:
    _fast.watch_compiler()

#: How kernels are compiled in this session.
PATH = "fast" if _fast else "plain"


def _user_cache() -> Path:
    """Return where CAM Twin keeps what it can make again: CAMTWIN_CACHE, or what is usual on this platform."""
    if os.environ.get("CAMTWIN_CACHE"):
        return Path(os.environ["CAMTWIN_CACHE"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "camtwin"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "camtwin"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "camtwin"


def _key() -> str:
    """Return a name that changes with any kernel source, with numba and with the path."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return f"numba{numba.__version__}-{PATH}-{digest.hexdigest()[:16]}"


def _cache_folder() -> str:
    """Return a folder for machine code that can be written, or "" to keep none."""
    for parent in (_user_cache(), Path(tempfile.gettempdir()) / f"camtwin-{Path.home().name}"):
        folder = parent / "kernels" / _key()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return ""


#: Where this session's machine code is kept, "" for nowhere.
CACHE_FOLDER = _cache_folder()


def lean_kernel(function: F) -> F:
    """Compile ``function`` to machine code, free of the GIL, cached between sessions.

    The fast path counts no references: counting is atomic and costs as much as the work on a tile. Such a kernel cannot
    allocate; none should.
    """
    # numba reads its configuration when a function is decorated; other users of numba in this process keep theirs.
    theirs, config.CACHE_DIR = config.CACHE_DIR, CACHE_FOLDER
    try:
        if _fast:
            return cast("F", _fast.kernel(function, _OPTIONS, is_cached=bool(CACHE_FOLDER)))
        return _plain_kernel(function)
    finally:
        config.CACHE_DIR = theirs


def lean_part(function: F) -> F:
    """Compile ``function`` as a part of kernels. In the fast path Python cannot call it."""
    if _fast:
        return cast("F", _fast.part(function, _OPTIONS))
    return cast("F", numba.njit(**_OPTIONS)(function))


def _plain_kernel(function: F) -> F:
    """Compile ``function`` by numba's public interface; without a cache if numba keeps it outside of our folder."""
    compiled = numba.njit(cache=bool(CACHE_FOLDER), **_OPTIONS)(function)
    if CACHE_FOLDER and not config.DISABLE_JIT and not compiled.stats.cache_path.startswith(CACHE_FOLDER):
        compiled = numba.njit(**_OPTIONS)(function)
    return cast("F", compiled)


def variant(function: F, suffix: str, **names: object) -> F:
    """Return ``function`` once more, under another name, seeing ``names`` instead of its module's.

    So one source is compiled for each case separately, and only for the cases that occur. A closure would do the same,
    but numba's cache does not find a closure over compiled functions again in the next session.
    """
    source = cast("types.FunctionType", getattr(function, "py_func", function))
    copy = types.FunctionType(source.__code__, {**source.__globals__, **names}, f"{source.__name__}_{suffix}")
    copy.__qualname__, copy.__module__ = copy.__name__, source.__module__
    return cast("F", copy)
