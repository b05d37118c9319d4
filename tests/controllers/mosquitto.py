# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real mosquitto on a free port of this machine, with certificates of its own, and somebody who publishes to it."""

import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager

import trustme
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 60


class Certificates:
    """A CA made for one test, and what it signs: the broker, a recorder; and one that nobody trusts."""

    def __init__(self, folder):
        self.folder = folder
        authority, stranger = self._issuer, _ = trustme.CA(), trustme.CA()
        self.authority = self._keep("ca.pem", authority.cert_pem)
        self.broker = self._pair("broker", authority.issue_cert("127.0.0.1"))
        self.recorder = self._pair("recorder", authority.issue_cert("recorder@mill", common_name="recorder"))
        self.stranger = self._pair("stranger", stranger.issue_cert("recorder@mill", common_name="recorder"))
        self.other_authority = self._keep("other.pem", stranger.cert_pem)

    def named(self, name):
        """Return certificate and key of somebody whom the CA vouches for."""
        return self._pair(name, self._issuer.issue_cert(f"{name}@mill", common_name=name))

    def _keep(self, name, blob):
        blob.write_to_path(self.folder / name)
        return self.folder / name

    def _pair(self, name, made):
        (chain,) = made.cert_chain_pems
        return self._keep(f"{name}.pem", chain), self._keep(f"{name}.key", made.private_key_pem)


class Mosquitto:
    """A broker that can be stopped and started again at the same port."""

    def __init__(self, folder, lines=("allow_anonymous true",), context=None):
        self.folder, self.lines, self.context = folder, lines, context
        self.port = free_port()
        self.process = None

    def start(self):
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert program, "mosquitto is not installed; .ci/system broker installs it"
        settings = self.folder / "mosquitto.conf"
        head = [f"listener {self.port} 127.0.0.1", "set_tcp_nodelay true", "user root"]
        settings.write_text("\n".join([*head, *self.lines, ""]))
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([program, "-c", str(settings)], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                said = (self.folder / "mosquitto.log").read_text()
                assert self.process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.02)
            else:
                return self

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)

    @contextmanager
    def running(self):
        self.start()
        try:
            yield self
        finally:
            self.stop()

    @contextmanager
    def publisher(self):
        """Yield a function that publishes, and returns when the broker has it."""
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if self.context is not None:
            client.tls_set_context(self.context)
        client.connect("127.0.0.1", self.port)
        client.loop_start()

        def publish(topic, payload, retain=False):
            client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE)

        try:
            yield publish
        finally:
            client.disconnect()
            client.loop_stop()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def trusting(certificates, pair):
    """Return a context that trusts the CA, and shows a certificate."""
    context = ssl.create_default_context(cafile=certificates.authority)
    context.load_cert_chain(*pair)
    return context
