# SPDX-License-Identifier: LGPL-2.1-or-later
"""Only a fresh, whole command of our own kind is passed on to a machine."""

import time

import pytest

from freecad_camtwin.publishers.commands import LONGEST_COMMAND, Asked, Refused, read_command
from freecad_camtwin.publishers.protocol import Command

WANTED = b'{"schema": "camtwin.command/1", "value": 80, "sender": "ada"}'


def asked(payload=WANTED, *, name="feed_override", expires=None, retained=False):
    return read_command(Asked(name, payload, expires, retained))


def test_a_whole_command_is_passed_on_as_it_is():
    assert asked() == Command("feed_override", 80.0, "ada", None)


def test_a_retained_command_is_never_obeyed():
    """A broker hands a retained message to everybody who comes: it may be of yesterday, and of another job."""
    with pytest.raises(Refused, match="a retained command is not executed"):
        asked(retained=True)
    with pytest.raises(Refused, match="a retained command is not executed"):
        asked(retained=True, expires=time.time() + 3600)


def test_a_command_holds_until_the_sooner_of_its_two_expiries():
    now = time.time()
    fresh = WANTED.replace(b"}", b', "expires": %.1f}' % (now + 600))
    assert asked(fresh).expires == pytest.approx(now + 600, abs=0.1)
    assert asked(fresh, expires=now + 60).expires == now + 60
    assert asked(fresh, expires=now + 6000).expires == pytest.approx(now + 600, abs=0.1)


@pytest.mark.parametrize(("of_payload", "of_transport"), [(-600, None), (-600, 600), (600, -600), (None, -600)])
def test_an_expired_command_is_refused_whichever_of_its_expiries_has_passed(of_payload, of_transport):
    now = time.time()
    payload = WANTED if of_payload is None else WANTED.replace(b"}", b', "expires": %.1f}' % (now + of_payload))
    with pytest.raises(Refused, match="it has expired"):
        asked(payload, expires=None if of_transport is None else now + of_transport)


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"80", b"null", b"[]", b"{}", WANTED[:-1], WANTED + b"}", b"\xff" + WANTED,
        WANTED.replace(b"/1", b"/2"), WANTED.replace(b"80", b'"80"'), WANTED.replace(b"80", b"null"),
        WANTED.replace(b'"value": 80, ', b""), WANTED.replace(b'"sender"', b'"sonder"'),
        WANTED.replace(b"ada", b"a" * 101), WANTED.replace(b"}", b', "expires": -1}'), WANTED + b" " * LONGEST_COMMAND,
    ],
)  # fmt: skip
def test_a_malformed_command_is_refused(payload):
    with pytest.raises(Refused, match=r"it is not a valid camtwin\.command/1"):
        asked(payload)


@pytest.mark.parametrize("name", ["", "Feed", "feed override", "feed/override", "_feed", "2feed", "f" * 41, "féed"])
def test_a_name_that_no_command_has_is_refused(name):
    with pytest.raises(Refused, match=r"it is not a valid camtwin\.command/1"):
        asked(name=name)
