# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machine profiles: all of ours can be read, and a wrong one is refused by the name of its entry."""

import configparser
import math
from pathlib import Path

import numpy as np
import pytest

from freecad_camtwin.errors import ProfileError
from freecad_camtwin.twin.base.power import torque_of
from freecad_camtwin.twin.shop.machine import PROFILES, decode_machine, encode_machine, machine_names, read_machine

GOOD = (PROFILES / "vmc.toml").read_text()


@pytest.mark.parametrize("name", machine_names())
def test_every_profile_can_be_read_and_written_again(name):
    machine = read_machine(name)
    assert decode_machine(encode_machine(machine), name) == machine
    assert machine.source


@pytest.mark.parametrize(
    ("was", "becomes", "sentence"),
    [
        ("max_mm = 381.0\nvelocity_mm_s = 417.0", "max_mm = 381.0", "axes.x.velocity_mm_s is missing"),
        (
            "acceleration_mm_s2 = 4000.0",
            "acceleration_mm_s2 = -1.0",
            "axes.x.acceleration_mm_s2 must be greater than 0",
        ),
        ("acceleration_mm_s2 = 4000.0", "acceleration_mm_s2 = nan", "axes.x.acceleration_mm_s2 must be"),
        ("acceleration_mm_s2 = 4000.0", 'acceleration_mm_s2 = "fast"', "axes.x.acceleration_mm_s2: expected `float`"),
        ("jerk_mm_s3 = 50000.0", "", "axes.x.jerk_mm_s3 is missing, and a jerk_limited controller needs it"),
        ("min_mm = -381.0", "min_mm = 400.0", "axes.x.min_mm must be less than max_mm"),
        ("tolerance_mm = 0.01", "tolerance = 0.01", "controller.tolerance"),
        ('strategy = "jerk_limited"', 'strategy = "magic"', "controller.strategy: invalid value 'magic'"),
        ("n_max_rpm = 10000.0", "n_max_rpm = 10.0", "spindle.n_min_rpm must be less than n_max_rpm"),
        ("{ n_rpm = 2000.0, power_w = 21000.0 }, ", "{ n_rpm = 20000.0, power_w = 21000.0 }, ", "in order of rising"),
        ("feed_min_mm_s = 0.1", "feed_min_mm_s = 900.0", "feed_min_mm_s must be less than feed_max_mm_s"),
        ("[axes.x]", "[axes.x", "is not TOML"),
    ],
)
def test_a_wrong_profile_is_refused_in_a_sentence_that_names_the_entry(was, becomes, sentence):
    assert was in GOOD
    with pytest.raises(ProfileError) as caught:
        decode_machine(GOOD.replace(was, becomes, 1).encode(), "mine.toml")
    assert sentence in str(caught.value)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_profile_names_those_there_are(tmp_path):
    with pytest.raises(ProfileError, match="grbl_router, hobby_mill, linuxcnc_sim, vmc"):
        read_machine(tmp_path / "none.toml")


def test_below_its_first_corner_a_spindle_has_constant_torque_and_above_it_constant_power():
    spindle = read_machine("vmc").spindle
    assert spindle.power_at(1000.0) == pytest.approx(spindle.rated_power / 2)
    torque = torque_of(spindle.power_at([500.0, 1000.0, 2000.0]), np.array([500.0, 1000.0, 2000.0]))
    assert torque == pytest.approx(21000.0 * 1000 / (2000.0 * math.tau / 60))
    assert spindle.power_at(8000.0) == pytest.approx(spindle.rated_power)
    assert math.isnan(spindle.power_at(20000.0))


def test_the_simulators_profile_is_the_simulators_own_ini():
    ini = configparser.ConfigParser(strict=False)
    ini.read(Path(__file__).parent.parent.parent / "controllers" / "linuxcnc" / "mill.ini")
    machine = read_machine("linuxcnc_sim")
    for name in "xyz":
        section, axis = ini[f"AXIS_{name.upper()}"], getattr(machine.axes, name)
        assert (axis.lower, axis.upper) == (section.getfloat("MIN_LIMIT"), section.getfloat("MAX_LIMIT"))
        assert axis.velocity == section.getfloat("MAX_VELOCITY")
        assert axis.acceleration == section.getfloat("MAX_ACCELERATION")
    assert machine.path_velocity == ini.getfloat("TRAJ", "MAX_LINEAR_VELOCITY")
    assert machine.controller.servo_period == ini.getfloat("EMCMOT", "SERVO_PERIOD") * 1e-9
    assert machine.controller.override == ini.getfloat("DISPLAY", "MAX_FEED_OVERRIDE")
