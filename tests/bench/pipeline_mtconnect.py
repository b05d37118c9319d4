# SPDX-License-Identifier: LGPL-2.1-or-later
"""How late samples are that come from an MTConnect agent: ours, in its own process, asked for an interval of 10 ms.

The machine tells it a row of eight items every 2 ms; the receiving process is kept on one core. See ``pipeline_mqtt``.
"""

import tempfile
from pathlib import Path

from bench.pipeline_mqtt import a_package, p99
from bench.report import Row


def rows() -> list[Row]:
    """Measure the stream of an agent."""
    with tempfile.TemporaryDirectory() as folder:
        late = p99("mtconnect+http://127.0.0.1:0", a_package(Path(folder)), 500, 1)
    return [Row("mtconnect_p99_ms", 1e3 * late, "ms", "lower", required=15.0)]


if __name__ == "__main__":
    for row in rows():
        print(row.name, row.value)
