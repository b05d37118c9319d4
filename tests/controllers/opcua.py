# SPDX-License-Identifier: LGPL-2.1-or-later
"""OPC UA servers in processes of their own, on free ports of this machine, and certificates as the page makes them."""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 120


class Certificates:
    """Made by the line that docs/connectors.md shows, with another name for each."""

    def __init__(self, folder):
        self.folder = folder
        assert shutil.which("openssl"), "openssl is not installed"
        page = (ROOT / "docs" / "connectors.md").read_text(encoding="utf-8")
        self._line = re.search(r"^ +(openssl req (?:.*\\\n)*.*)$", page, re.M)[1]

    def make(self, name):
        """Return (certificate, key) of an application on this machine."""
        line = self._line.replace("camtwin.", f"{name}.").replace("urn:freecad-camtwin:office", f"urn:test:{name}")
        line = line.replace("DNS:$(hostname)", "IP:127.0.0.1").replace("/CN=CAM Twin", f"/CN={name}")
        subprocess.run(line, shell=True, cwd=self.folder, check=True, capture_output=True)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


class Peer:
    """A server that can be stopped and started again at the same port, and is told what to do line by line."""

    def __init__(self, *program, environment=None, **settings):
        self.program, self.settings, self.environment = program, settings, environment or {}
        self.told = {}  # what it said when it began
        self.process = None

    @classmethod
    def python(cls, kind, **settings):
        """Return a server of tests/controllers/opcua_server.py."""
        return cls(sys.executable, str(Path(__file__).with_name("opcua_server.py")), kind, **settings)

    @classmethod
    def node(cls, script, **settings):
        """Return a program of tests/peers/node, with node-opcua."""
        node = shutil.which("node")
        assert node, "node is not installed; .ci/system node installs it"
        installed = subprocess.run([ROOT / ".ci" / "peers"], capture_output=True, text=True, check=False)
        assert installed.returncode == 0, installed.stderr
        modules = {"NODE_PATH": f"{installed.stdout.strip()}/node_modules"}
        return cls(node, str(ROOT / "tests" / "peers" / "node" / script), environment=modules, **settings)

    def start(self):
        settings = json.dumps({**self.settings, "port": self.port}, default=str)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'kernels'}", **self.environment}
        self.process = subprocess.Popen(
            [*self.program, settings], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        # Read in a thread of its own: a server that says nothing must not keep the test waiting for ever.
        self._lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, self._lines), daemon=True).start()
        self.told = self.answer()
        return self

    @property
    def address(self):
        return self.told.get("address", "")

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            if line.startswith("{"):
                lines.put(json.loads(line))
        stream.close()
        lines.put(None)

    @property
    def port(self):
        return int(re.search(r":(\d+)", self.address[len("opc.tcp:") :])[1]) if self.address else 0

    def answer(self):
        """Return the next line that the server says."""
        said = self._lines.get(timeout=PATIENCE)
        assert said is not None, "the server ended"
        return said

    def tell(self, **asked):
        """Ask for something, and return the answer."""
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdin.close()

    @contextmanager
    def running(self):
        try:
            yield self.start()
        finally:
            self.stop()
