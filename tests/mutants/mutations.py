# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every small change of a source that a test should notice: a comparison turned, a sign changed, a guard removed.

Left alone is what no test can or should see: texts, annotations, type aliases, decorators, ``__repr__``, assertions,
the sentence of an error, and ``strict=`` of ``zip``, which is an assertion, too.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_TWINS = {"min": "max", "minimum": "maximum", "fmin": "fmax", "nanmin": "nanmax", "argmin": "argmax", "any": "all",
          "floor": "ceil", "sin": "cos"}  # fmt: skip
_OPPOSITES = {**_TWINS, **{other: one for one, other in _TWINS.items()}}
_ROUNDING = 1e-6  # what is smaller allows for rounding: no result depends on how much
_TEXTS = ("__repr__", "__str__", "__dir__")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of one source."""

    path: str  #: of the source, from the root of the checkout
    first: int  #: the first line of the statement, or of the head of an ``if`` or a loop
    last: int
    line: str  #: the text of the first line
    kind: str
    before: str  #: the expression or statement that is replaced, on one line
    after: str
    start: int  #: where in the source it begins and ends, in bytes
    end: int

    def applied(self, source: bytes) -> bytes:
        """Return the source with this change."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutations(path: str, source: bytes) -> list[Mutation]:
    """Return every mutation of a source."""
    return list(_Mutator(path, source).in_body(ast.parse(source).body, in_function=False))


class _Mutator:
    def __init__(self, path: str, source: bytes) -> None:
        self._path = path
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def in_body(self, body: list[ast.stmt], *, in_function: bool) -> Iterator[Mutation]:
        for statement in body:
            if not _is_left_alone(statement):
                yield from self._in_statement(statement, in_function)

    def _in_statement(self, statement: ast.stmt, in_function: bool) -> Iterator[Mutation]:
        inside = in_function or isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        if in_function:
            yield from self._removed(statement)
        if isinstance(statement, ast.If | ast.While) and _can_be_negated(statement.test):
            yield self._changed(statement, statement.test, "condition negated", ast.UnaryOp(ast.Not(), statement.test))
        if isinstance(statement, ast.AugAssign) and type(statement.op) in _ARITHMETIC:
            other = copy.copy(statement)
            other.op = _ARITHMETIC[type(statement.op)]()
            yield self._changed(statement, statement, "arithmetic", other)
        if isinstance(statement, ast.Return) and not _is_nothing(statement.value):
            yield self._changed(statement, statement, "returns None", ast.Return(ast.Constant(None)))
        for expression in _expressions(statement):
            for node, kind, other in _changes(expression):
                yield self._changed(statement, node, kind, other)
        for block in _blocks(statement):
            yield from self.in_body(block, in_function=inside)

    def _removed(self, statement: ast.stmt) -> Iterator[Mutation]:
        """Remove what stands alone: no name is left without a value, which any test at all would see."""
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if (
            isinstance(statement, ast.Expr | ast.AugAssign | ast.Raise)
            or isinstance(target, ast.Attribute | ast.Subscript)
            or isinstance(statement, ast.Break | ast.Continue)
        ):
            yield self._changed(statement, statement, "statement removed", ast.Pass())

    def _changed(self, statement: ast.stmt, node: ast.AST, kind: str, other: ast.AST) -> Mutation:
        assert isinstance(node, ast.expr | ast.stmt)
        body = getattr(statement, "body", None)
        last = statement.end_lineno or statement.lineno
        if isinstance(body, list):
            last = max(statement.lineno, body[0].lineno - 1)
        after = ast.unparse(ast.fix_missing_locations(other))
        return Mutation(
            path=self._path,
            first=statement.lineno,
            last=last,
            line=self._lines[statement.lineno - 1].decode().strip(),
            kind=kind,
            before=ast.unparse(node),
            after=f"({after})" if isinstance(node, ast.expr) else after,
            start=self._starts[node.lineno - 1] + node.col_offset,
            end=self._starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0),
        )


def _is_left_alone(statement: ast.stmt) -> bool:
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            return True
        case ast.FunctionDef(name=name):
            return name in _TEXTS
        case _:
            return False


def _is_nothing(value: ast.expr | None) -> bool:
    """Tell whether None would be the same, or be taken for it: False has its own change."""
    return value is None or (isinstance(value, ast.Constant) and (value.value is None or value.value is False))


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Return the expressions of a statement itself, without annotations, decorators and an error's sentence."""
    match statement:
        case ast.FunctionDef(args=args) | ast.AsyncFunctionDef(args=args):
            yield from (default for default in (*args.defaults, *args.kw_defaults) if default is not None)
        case ast.Assign(value=ast.Subscript(value=ast.Name(id=name)), targets=[ast.Name()]) if name[0].isupper():
            return  # an alias of a type
        case ast.Match(cases=cases):
            yield from (case.guard for case in cases if case.guard is not None)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            yield from (item.context_expr for item in items)
        case ast.ClassDef() | ast.Raise() | ast.Try():
            return
    for name in ("targets", "value", "test", "iter", "subject"):
        part = getattr(statement, name, None)
        yield from part if isinstance(part, list) else [part] if isinstance(part, ast.expr) else []


def _can_be_negated(test: ast.expr) -> bool:
    """Tell whether a condition has no other mutation that negates it: a comparison and ``not`` have theirs."""
    return not isinstance(test, ast.Constant | ast.Compare | ast.UnaryOp)


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr, str, ast.expr]]:
    """Return the changes of an expression and of all its parts: which part, how it is changed, into what."""
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.keyword) and node.arg in ("strict", "help"):
        return
    if isinstance(node, ast.expr) and type(node) in _CHANGES:
        for kind, other in _CHANGES[type(node)](node):
            yield node, kind, other
    if isinstance(node, ast.comprehension):
        for test in filter(_can_be_negated, node.ifs):
            yield test, "condition negated", ast.UnaryOp(ast.Not(), test)
    for child in ast.iter_child_nodes(node):
        yield from _changes(child)


def _comparison(node: ast.Compare) -> Iterator[tuple[str, ast.expr]]:
    for at, operator in enumerate(node.ops):
        for kind in _COMPARISONS[type(operator)]:
            yield "comparison", ast.Compare(node.left, [*node.ops[:at], kind(), *node.ops[at + 1 :]], node.comparators)


def _arithmetic(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    if type(node.op) in _ARITHMETIC and not (_is_text(node.left) or _is_text(node.right) or _are_types(node)):
        yield "arithmetic", ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)


def _and_or(node: ast.BoolOp) -> Iterator[tuple[str, ast.expr]]:
    yield "and, or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)


def _sign(node: ast.UnaryOp) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node.op, ast.UAdd):
        yield "sign or not removed", node.operand


def _choice(node: ast.IfExp) -> Iterator[tuple[str, ast.expr]]:
    if _can_be_negated(node.test):
        yield "condition negated", ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def _opposite(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    match node.func:
        case ast.Name(id=name) if name in _OPPOSITES:
            yield "opposite", ast.Call(ast.Name(_OPPOSITES[name]), node.args, node.keywords)
        case ast.Attribute(value=owner, attr=name) if name in _OPPOSITES:
            yield "opposite", ast.Call(ast.Attribute(owner, _OPPOSITES[name]), node.args, node.keywords)


def _constant(node: ast.Constant) -> Iterator[tuple[str, ast.expr]]:
    match node.value:
        case bool() as value:
            yield "constant", ast.Constant(not value)
        case int() as value:
            yield "constant", ast.Constant(value + 1 if abs(value) < 10 else 2 * value)
        case float() as value if value == 0 or abs(value) > _ROUNDING:
            yield "constant", ast.Constant(2 * value or 1.0)


_CHANGES: dict[type[ast.expr], Callable[[Any], Iterator[tuple[str, ast.expr]]]] = {
    ast.Compare: _comparison,
    ast.BinOp: _arithmetic,
    ast.BoolOp: _and_or,
    ast.UnaryOp: _sign,
    ast.IfExp: _choice,
    ast.Call: _opposite,
    ast.Constant: _constant,
}


def _is_text(node: ast.expr) -> bool:
    """Tell whether an operand is a text: changing its operator ends in a TypeError whatever the tests are."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _are_types(node: ast.BinOp) -> bool:
    """Tell whether ``A | B`` joins types, as in ``isinstance(value, int | None)``."""
    if not isinstance(node.op, ast.BitOr):
        return False
    parts = [part for part in ast.walk(node) if isinstance(part, ast.Name | ast.Constant)]
    builtin = {"int", "float", "str", "bytes", "bool", "list", "dict", "tuple", "set", "None"}
    return any(
        (isinstance(part, ast.Constant) and part.value is None)
        or (isinstance(part, ast.Name) and (part.id in builtin or part.id[0].isupper()) and not part.id.isupper())
        for part in parts
    )
