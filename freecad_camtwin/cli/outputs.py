# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write result files: every file appears complete, or not at all."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from freecad_camtwin.errors import OutputError
from freecad_camtwin.twin.base.files import check_replaceable, move_into_place, write_synced

#: As a file name: write to standard output.
STANDARD_OUTPUT = "-"

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.ENAMETOOLONG: "its name is too long",
    errno.EFBIG: "it would be too large",
}


def reason(error: OSError) -> str:
    """Return in words why the operating system refused."""
    return _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())


def refuse(target: Path, error: OSError) -> OutputError:
    """Return the error for a file that the operating system does not allow to be written."""
    return OutputError(f"{target} cannot be written: {reason(error)}. Nothing was changed.")


def check_target(target: Path, *sources: Path) -> None:
    """Raise OutputError if ``target`` could not be written, before any long work begins.

    A file without write permission is refused even where the system would allow it (a replacing rename, or
    root), and so is any of ``sources``: no input is ever overwritten.
    """
    if str(target) == STANDARD_OUTPUT:
        return
    folder = target.parent
    if not folder.is_dir():
        raise OutputError(f"{target} cannot be written: the folder {folder} does not exist.")
    if target.exists():
        _check_old(target, sources)
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{target} cannot be written: permission is denied in {folder}.")


def _check_old(target: Path, sources: tuple[Path, ...]) -> None:
    """Raise OutputError if the existing ``target`` must not be replaced."""
    if target.is_dir():
        raise OutputError(f"{target} is a folder; name a file.")
    if not target.is_file():
        raise OutputError(f"{target} is not a regular file; name another file, or - for standard output.")
    check_replaceable(target, *sources)


def check_targets(targets: Iterable[Path | None], *sources: Path) -> None:
    """Check each target that is not None; raise UsageError if two of them are the same file."""
    taken: set[str] = set()
    for target in (each for each in targets if each is not None):
        check_target(target, *sources)
        if _place(target) in taken:
            raise click.UsageError(f"two results have the same file name, {target}; give each result its own file.")
        taken.add(_place(target))


def _place(target: Path) -> str:
    """Return one name for all spellings of a target."""
    return STANDARD_OUTPUT if str(target) == STANDARD_OUTPUT else os.path.normcase(target.resolve())


class Outputs:
    """Collects the files of one command; leaving the block without an error puts all of them in place.

    Each file is first written beside its target and synced, so a full disk, a crash or an error in a later
    file leaves every older version as it was.
    """

    def __init__(self) -> None:
        self._pending: list[tuple[Path, Path]] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            for temporary, _ in self._pending:
                temporary.unlink(missing_ok=True)
            for folder in self._made if kind is not None else ():
                with suppress(OSError):  # the folder contains files of another program
                    folder.rmdir()
            if self._folder is not None:
                self._folder.cleanup()

    def _finish(self) -> None:
        """Move every file into place. OutputError names the first one that failed, and those already in place."""
        written: list[str] = []
        for temporary, target in self._pending:
            try:
                move_into_place(temporary, target)
            except (OSError, OutputError) as problem:
                sentence = str(problem)
                if isinstance(problem, OSError):
                    sentence = f"{target} cannot be written: {reason(problem)}; the file is as it was."
                also = f" Already written: {', '.join(written)}." if written else ""
                raise OutputError(sentence + also) from problem
            written.append(str(target))

    def place(self, target: Path) -> Path:
        """Return a temporary path beside ``target``, with its suffix; the file is moved to ``target`` at the end."""
        check_target(target)
        if any(_place(target) == _place(other) for _, other in self._pending):
            raise OutputError(
                f"two results have the same file name, {target}; give each result its own file. Nothing was changed."
            )
        try:
            handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
            os.close(handle)
            self._pending.append((Path(name), target))
            os.chmod(name, 0o666 & ~_umask())
        except OSError as error:
            raise refuse(target, error) from error
        return Path(name)

    @contextmanager
    def placing(self, target: Path) -> Iterator[Path]:
        """Yield the path of ``place``; an OSError inside the block becomes an OutputError that names ``target``."""
        with explaining(target):
            yield self.place(target)

    def folder(self, folder: Path) -> None:
        """Make a folder for results, if there is none; it is removed after a failure."""
        if not folder.is_dir():
            with explaining(folder):
                folder.mkdir()
            self._made.append(folder)

    def scratch(self, name: str, content: bytes | None = None) -> Path:
        """Return a temporary path that is removed at the end of the block; ``content`` is written to it if given."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="camtwin-")
        path = Path(self._folder.name) / name
        if content is not None:
            path.write_bytes(content)
        return path

    def write(self, target: Path, content: bytes) -> None:
        """Write ``content`` to a file, or at once to standard output if the name is ``-``."""
        if str(target) == STANDARD_OUTPUT:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        temporary = self.place(target)
        with explaining(target):
            write_synced(temporary, content)


@contextmanager
def explaining(target: Path) -> Iterator[None]:
    """Turn an OSError inside the block into an OutputError that names ``target``."""
    try:
        yield
    except OSError as error:
        raise refuse(target, error) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
