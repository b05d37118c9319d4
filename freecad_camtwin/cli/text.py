# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lines and tables on standard output: plain text, so that it can be piped."""

import sys
from collections.abc import Sequence

import click


def say(line: str = "") -> None:
    """Print one line; characters that the terminal cannot show are replaced."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(line.encode(encoding, "replace").decode(encoding))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Print a table; the first ``left`` columns are text and left-aligned."""
    widths = [max(len(row[index]) for row in (heads, *rows)) for index in range(len(heads))]
    for row in (heads, *rows):
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        say("  ".join(cells).rstrip())
