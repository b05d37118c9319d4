# SPDX-License-Identifier: LGPL-2.1-or-later
"""Show the progress of long work, on a terminal only and not with ``--quiet``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn


@contextmanager
def working(what: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show ``what`` while the block runs; yield a function to report the completed share, 0 … 1."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda share: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(what, total=None)

        def tick(share: float) -> None:
            bars.update(task, total=1.0, completed=min(max(share, 0.0), 1.0))

        yield tick
