# SPDX-License-Identifier: LGPL-2.1-or-later
"""The decorators of every kernel, so that how we compile and where the machine code is kept is decided in one place.

numba's cache looks at the source file of the compiled function alone: a changed callee or constant in another
file would go unseen, and a kernel with a stale tile size writes past its arrays. So our machine code lies in a
folder whose name is a hash of *all* kernel sources, of the package's version and of numba's: whatever changes, the
folder is another. It is in the user's cache and not beside the sources, because an addon's folder may be read-only.
``CAMTWIN_CACHE`` moves it; numba's own ``NUMBA_CACHE_DIR`` does not.

A kernel is one function of machine code, and its parts lie inside it. numba would rather compile each part by itself,
let LLVM inline what it likes, and link the rest by name: in the session that compiles, the kernel then calls the
part's own code, and in the next, from the cache, the kernel's copy of it, which LLVM has optimized once more. The two
round differently, and a result would depend on whether the cache was warm. So parts are inlined always, which is
fast, too: a call that hands over 150 words of arrays costs 60 ns. And as nobody else calls them, they get no entries
for Python and C, which are a third of all code.
"""

import gc
import hashlib
import os
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config as _config
from numba.core import event
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.dispatcher import Dispatcher
from numba.core.targetconfig import ConfigStack
from numba.core.types.functions import BaseFunction

#: numba's configuration, whose settings are attributes that it makes at run time.
config: Any = _config

F = TypeVar("F", bound=Callable[..., object])

# No "nnan" and no "ninf": unknown feeds and speeds travel through the kernels as NaN.
_FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": _FASTMATH,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}


class _Bare(JITCodeLibrary):
    """A part's code as numba writes it: what LLVM makes of it, it makes of the kernel with its parts, once."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _Wide(JITCodeLibrary):
    """A kernel's code, free to use the widest registers that there are, and the processor's own estimate of 1 / √x.

    Of many processors LLVM believes that 512 bits at once slow everything down, as they did in the first that had them.
    A tile of heights is four such registers, and cut an eighth faster. The estimate is taken as it comes, with the 12
    or 14 bits that it has: in single precision, and where a program divides by a root.
    """

    _ATTRIBUTES = ('"prefer-vector-width"="512"', '"reciprocal-estimates"="vec-sqrtf:0"')

    def add_ir_module(self, module: Any) -> None:
        for function in module.functions:
            if not function.is_declaration:
                for attribute in self._ATTRIBUTES:
                    set.add(function.attributes, attribute)  # its own ``add`` knows no such pairs
        cast("Any", super()).add_ir_module(module)

    def _optimize_final_module(self) -> None:
        # Once. numba would do it roughly before, to find reference counts that cancel out: we have none.
        library: Any = self
        passes, builder = library._codegen._module_pass_manager()
        passes.run(library._final_module, builder)


class _PartCompiler(Compiler):
    """Compiles a part as far as its kernel needs it."""

    def __init__(
        self, typing: Any, target: Any, library: Any, args: Any, returns: Any, flags: Any, local_types: Any
    ) -> None:
        flags.no_compile = True
        bare = cast("Any", _Bare)(target.codegen(), "part")
        cast("Any", super()).__init__(typing, target, bare, args, returns, flags, local_types)


class _KernelCompiler(Compiler):
    """Compiles a kernel, for now and for later sessions."""

    def __init__(
        self, typing: Any, target: Any, library: Any, args: Any, returns: Any, flags: Any, local_types: Any
    ) -> None:
        wide = cast("Any", _Wide)(target.codegen(), "kernel")
        wide.enable_object_caching()
        cast("Any", super()).__init__(typing, target, wide, args, returns, flags, local_types)


_PART = {"no_cpython_wrapper": True, "forceinline": True, "pipeline_class": _PartCompiler}


class _Haste(event.Listener):
    """Spares numba, while it compiles, what it does over and over. It tells of compiling under its one lock.

    A compiler makes a million objects that refer to each other and are needed to its end: collecting garbage among them
    would take a sixth of its time. And of each ``a + b`` it asks forty templates, those of lists and of text before
    those of numbers, what type that is: a fifth of its time, as the few hundred different answers are not remembered.
    And ``min`` and its like, which numba has written in Python, it would compile to the end for each type of argument.
    """

    _depth = 0
    _was_on = False
    _is_ours = False

    def on_start(self, event: Any) -> None:
        function = event.data["dispatcher"]
        if self._depth > 0 and self._is_ours and function._compiler.pipeline_class is Compiler:
            _make_part(function)
        if self._depth == 0:
            self._was_on = gc.isenabled()
            self._is_ours = function._compiler.pipeline_class is _KernelCompiler
            gc.disable()
            _BUILT_IN.get_call_type = _remembered
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            _BUILT_IN.get_call_type = _asked
            if self._was_on:
                gc.enable()


_BUILT_IN: Any = BaseFunction  # what numba calls a function of its own, such as ``operator.add``
_FLAGS: Any = ConfigStack  # those that something is being compiled with
_asked = _BUILT_IN.get_call_type
_answers: dict[Any, Any] = {}
_summaries: dict[int, tuple[Any, str]] = {}  # by identity: flags are compared option by option, a twentieth of all time


def _summary(flags: Any) -> str:
    """Return what flags say; none is changed once something is compiled with it."""
    if id(flags) not in _summaries:
        _summaries[id(flags)] = flags, flags.summary() if flags else ""
    return _summaries[id(flags)][1]


def _remembered(function: Any, context: Any, arguments: Any, named: Any) -> Any:
    """Return the signature of a call of ``function``, as numba found it for these types and flags before."""
    question = function, context, tuple(arguments), tuple(named.items()), _summary(_FLAGS.top_or_none())
    if question not in _answers:
        _answers[question] = _asked(function, context, arguments, named)
    return _answers[question]


cast("Any", event).register("numba:compile", _Haste())


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
    """Return a name that changes with any kernel source and with numba."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return f"numba{numba.__version__}-{digest.hexdigest()[:16]}"


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
    """Compile ``function`` to machine code, free of the GIL, cached between sessions, without reference counts.

    Counting is atomic and costs as much as the work on a tile. Such a kernel cannot allocate; none should.
    """
    return _compile(function, CACHE_FOLDER, {"pipeline_class": _KernelCompiler})


def lean_part(function: F) -> F:
    """Compile ``function`` as a part of kernels, which carry it in their code. Python cannot call it."""
    part = _compile(function, "", _PART)
    if isinstance(part, Dispatcher):
        _hide(part)
    return part


def variant(function: F, suffix: str, **names: object) -> F:
    """Return ``function`` once more, under another name, seeing ``names`` instead of its module's.

    So one source is compiled for one case at a time, and only for the cases that occur. A closure would do the same,
    but numba's cache does not find a closure over compiled functions again in the next session.
    """
    source = cast("types.FunctionType", getattr(function, "py_func", function))
    copy = types.FunctionType(source.__code__, {**source.__globals__, **names}, f"{source.__name__}_{suffix}")
    copy.__qualname__, copy.__module__ = copy.__name__, source.__module__
    return cast("F", copy)


def _make_part(function: Any) -> None:
    """Have a function of numba's own compiled as a part: it has to lie inside of kernels for the same reasons."""
    function._compiler.pipeline_class = _PartCompiler
    function._compiler.targetoptions |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
    _hide(function)


def _hide(part: Any) -> None:
    """Let Python's calls of ``part`` be refused: without an entry for Python they would end the process."""

    def refuse(*_: object) -> None:
        raise TypeError(f"{part.__name__} is a part of kernels: Python cannot call it")

    def keep(result: Any) -> None:
        named = result._replace(entry_point=object())
        named.target_context.insert_user_function(named.entry_point, named.fndesc, [named.library])
        part.overloads[tuple(named.signature.args)] = named

    part.add_overload, part._compile_for_args = keep, refuse


def _compile(function: F, folder: str, options: dict[str, Any]) -> F:
    # numba reads its configuration when a function is decorated; other users of numba in this process keep theirs.
    theirs, config.CACHE_DIR = config.CACHE_DIR, folder
    try:
        compiled = numba.njit(cache=bool(folder), **_OPTIONS, **options)(function)
    finally:
        config.CACHE_DIR = theirs
    return cast("F", compiled)
