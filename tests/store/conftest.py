# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real PostgreSQL for the tests of the store: a cluster of their own in a temporary folder, on a Unix socket."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server that only these tests know; it is stopped by the id of its process."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    server = found[-1] if found else Path(shutil.which("postgres") or pytest.fail("PostgreSQL is not installed"))
    # PostgreSQL refuses to run as root; Debian's package brings a user for it.
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if account:
            shutil.chown(folder, "postgres", "postgres")
        subprocess.run(
            [
                server.with_name("initdb"),
                "-D",
                folder / "data",
                "-U",
                "tests",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **account,
        )
        options = ["-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [server, "-D", folder / "data", *options], cwd=folder, stdout=log, stderr=log, **account
            )
        try:
            address = f"host={folder} user=tests dbname=postgres"
            _wait(address, process, folder / "log")
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers."""
    for _ in range(600):
        assert process.poll() is None, f"PostgreSQL did not start: {log.read_text(encoding='utf-8')}"
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"PostgreSQL does not answer: {log.read_text(encoding='utf-8')}")


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The address of an empty database."""
    name = f"test_{time.monotonic_ns()}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield postgres.replace("dbname=postgres", f"dbname={name}")
        server.execute(f"DROP DATABASE {name}")
