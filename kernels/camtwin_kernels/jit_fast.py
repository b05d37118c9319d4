# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fast way to compile kernels. It uses private parts of numba, and ``missing`` says if numba has them.

It does four things that numba's public interface cannot:

1. Parts are inlined into their kernel always. numba compiles each part by itself, lets LLVM inline some, and links the
   rest by name. In the session that compiles, the kernel calls the part's own code; in the next session, from the
   cache, it calls the kernel's copy, which LLVM has optimized once more. The two round differently, so a result would
   depend on whether the cache was warm. Inlining is faster, too: a call that passes 150 words of arrays costs 60 ns.
   And because only kernels use a part, it gets no entries for Python and C, which are a third of all code.
2. Kernels use the widest registers of the processor, and no reference counts.
3. Compiling skips work that numba repeats (``_Haste``).
4. A kernel is taken from the cache without loading all that numba can compile (``_KernelCache``).
"""

import gc
import inspect
from typing import Any, cast

import numba
from numba.core import event
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, CompileResult
from numba.core.cpu import CPUTargetOptions
from numba.core.registry import cpu_target
from numba.core.runtime.nrt import rtsys
from numba.core.targetconfig import ConfigStack
from numba.core.types.functions import BaseFunction

#: The versions of numba that this module was tested with.
TESTED = ("0.62", "0.63", "0.64", "0.65", "0.66", "0.67", "0.68")

#: Each method that is called or replaced here, and the names of its parameters.
_METHODS: tuple[tuple[Any, str, tuple[str, ...]], ...] = (
    (JITCodeLibrary, "_optimize_final_module", ("self",)),
    (JITCodeLibrary, "_finalize_final_module", ("self",)),
    (JITCodeLibrary, "add_ir_module", ("self", "ir_module")),
    (JITCodeLibrary, "enable_object_caching", ("self",)),
    (Compiler, "__init__", ("self", "typingctx", "targetctx", "library", "args", "return_type", "flags", "locals")),
    (FunctionCache, "load_overload", ("self", "sig", "target_context")),
    (FunctionCache, "_load_overload", ("self", "sig", "target_context")),
    (FunctionCache, "_guard_against_spurious_io_errors", ("self",)),
    (BaseFunction, "get_call_type", ("self", "context", "args", "kws")),
    (ConfigStack, "top_or_none", ()),
    (event, "register", ("kind", "listener")),
    (type(rtsys), "initialize", ("self", "ctx")),
)
_RESULT = {"target_context", "entry_point", "fndesc", "library", "signature"}
_DISPATCHER = {"_cache", "_compiler", "_compile_for_args", "add_overload", "overloads"}
_COMPILER = {"pipeline_class", "targetoptions"}
_NJIT: Any = numba.njit  # its types know neither ``_nrt`` nor ``no_cfunc_wrapper``
_NO_COUNTS = {"no_cfunc_wrapper": True, "_nrt": False}
_INSIDE = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}


def missing(*, any_version: bool) -> str:
    """Return what numba lacks for this module, "" if nothing. Nothing is compiled to find out."""
    version = numba.__version__
    if not any_version and ".".join(version.split(".")[:2]) not in TESTED:
        return f"numba {version} was not tested"
    for owner, name, parameters in _METHODS:
        method = getattr(owner, name, None)
        if method is None or tuple(inspect.signature(method).parameters) != parameters:
            return f"{owner.__name__}.{name} of numba {version} is another"
    dispatcher = _NJIT(_nothing)
    lacking = {
        "options": (_NO_COUNTS | _INSIDE).keys() - set(dir(CPUTargetOptions)),
        "results": _RESULT - set(getattr(CompileResult, "_fields", ())),
        "functions": _DISPATCHER - set(dir(dispatcher)),
        "compilers": _COMPILER - set(dir(getattr(dispatcher, "_compiler", None))),
        "targets": {"insert_user_function", "refresh"} - set(dir(cpu_target.target_context)),
    }
    for owner, names in lacking.items():
        if names:
            return f"the {owner} of numba {version} lack {', '.join(sorted(names))}"
    return _passes_differ()


def _nothing() -> None:
    """A function to make a dispatcher of."""


def _passes_differ() -> str:
    """Return how LLVM's passes are handed out in another way than ``_Wide`` expects, "" if they are not.

    Before numba 0.62 they came without a builder.
    """
    make: Any = getattr(cpu_target.target_context.codegen(), "_module_pass_manager", None)
    passes = make() if make else None
    if isinstance(passes, tuple) and len(passes) == 2 and hasattr(passes[0], "run"):
        return ""
    return f"numba {numba.__version__} hands out LLVM's passes in another way"


class _Bare(JITCodeLibrary):
    """The code of a part as numba writes it. LLVM optimizes it once, together with its kernel."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _Wide(JITCodeLibrary):
    """The code of a kernel. It uses the widest registers, and the processor's own estimate of 1 / √x.

    For many processors LLVM avoids 512 bits at once, because they slowed down the first processors that had them. A
    tile of heights is four such registers, and is cut an eighth faster with them. The estimate is used as it comes,
    with its 12 or 14 bits: in single precision, and where a kernel divides by a root.
    """

    _ATTRIBUTES = ('"prefer-vector-width"="512"', '"reciprocal-estimates"="vec-sqrtf:0"')

    def add_ir_module(self, module: Any) -> None:
        for function in module.functions:
            if not function.is_declaration:
                for attribute in self._ATTRIBUTES:
                    set.add(function.attributes, attribute)  # its own ``add`` refuses pairs of this kind
        cast("Any", super()).add_ir_module(module)

    def _optimize_final_module(self) -> None:
        # Once. numba would do it roughly before, to remove reference counts that cancel out: kernels have none.
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
    """Compiles a kernel for this session and for later ones."""

    def __init__(
        self, typing: Any, target: Any, library: Any, args: Any, returns: Any, flags: Any, local_types: Any
    ) -> None:
        wide = cast("Any", _Wide)(target.codegen(), "kernel")
        wide.enable_object_caching()
        cast("Any", super()).__init__(typing, target, wide, args, returns, flags, local_types)


class _KernelCache(FunctionCache):
    """Takes kernels from the cache without loading what only compiling needs.

    numba first loads all functions that it can compile, and with them scipy, cffi and f2py where they are installed:
    four fifths of the time of a first analysis. A kernel from the cache needs its machine code only, and the addresses
    of numba's own run-time functions, which its entry for Python may call.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        cache: Any = self
        rtsys.initialize(target_context)
        with cache._guard_against_spurious_io_errors():
            result = cache._load_overload(sig, target_context)
            if result is not None:
                return result
        target_context.refresh()
        return None


class _Haste(event.Listener):
    """Spares numba repeated work while it compiles. numba calls it under its one lock.

    A compiler makes a million objects that refer to each other and are needed to its end: garbage collection would take
    a sixth of the time. For each ``a + b`` numba asks forty templates, those of lists and text before those of numbers,
    for the type of the result: a fifth of the time, because the few hundred different answers are not kept. And it
    would compile ``min`` and the like, which are written in Python, to the end for each type of argument.
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


_BUILT_IN: Any = BaseFunction  # the type of numba's own functions, such as ``operator.add``
_FLAGS: Any = ConfigStack  # the flags of what is being compiled
_asked = _BUILT_IN.get_call_type
_answers: dict[Any, Any] = {}
_summaries: dict[int, tuple[Any, str]] = {}  # by identity: comparing flags takes a twentieth of the time


def _summary(flags: Any) -> str:
    """Return flags as text; flags do not change once something is compiled with them."""
    if id(flags) not in _summaries:
        _summaries[id(flags)] = flags, flags.summary() if flags else ""
    return _summaries[id(flags)][1]


def _remembered(function: Any, context: Any, arguments: Any, named: Any) -> Any:
    """Return the signature of a call of ``function``, as numba answered it for these types and flags before."""
    question = function, context, tuple(arguments), tuple(named.items()), _summary(_FLAGS.top_or_none())
    if question not in _answers:
        _answers[question] = _asked(function, context, arguments, named)
    return _answers[question]


def watch_compiler() -> None:
    """Spare numba repeated work from now on."""
    cast("Any", event).register("numba:compile", _Haste())


def kernel(function: Any, options: dict[str, Any], *, is_cached: bool) -> Any:
    """Compile ``function`` as a kernel, and keep it in numba's cache folder if asked to."""
    compiled = _NJIT(**options, **_NO_COUNTS, pipeline_class=_KernelCompiler)(function)
    if is_cached:
        compiled._cache = cast("Any", _KernelCache)(function)
    return compiled


def part(function: Any, options: dict[str, Any]) -> Any:
    """Compile ``function`` as a part of kernels."""
    compiled = _NJIT(**options, **_NO_COUNTS | _INSIDE, pipeline_class=_PartCompiler)(function)
    _hide(compiled)
    return compiled


def _make_part(function: Any) -> None:
    """Compile a function of numba's own as a part: it has to lie inside of kernels for the same reasons."""
    function._compiler.pipeline_class = _PartCompiler
    function._compiler.targetoptions |= _INSIDE
    _hide(function)


def _hide(part: Any) -> None:
    """Refuse calls of ``part`` from Python: without an entry for Python they would end the process."""

    def refuse(*_: object) -> None:
        raise TypeError(f"{part.__name__} is a part of kernels: Python cannot call it")

    def keep(result: Any) -> None:
        named = result._replace(entry_point=object())
        named.target_context.insert_user_function(named.entry_point, named.fndesc, [named.library])
        part.overloads[tuple(named.signature.args)] = named

    part.add_overload, part._compile_for_args = keep, refuse
