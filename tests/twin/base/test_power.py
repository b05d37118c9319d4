# SPDX-License-Identifier: LGPL-2.1-or-later
import numpy as np
import pytest

from freecad_camtwin.twin.base.power import power_of, torque_of


def test_one_newton_metre_at_9549_rpm_is_one_kilowatt():
    assert power_of(1000.0, 9549.2966) == pytest.approx(1000.0, rel=1e-8)
    assert torque_of(1000.0, 9549.2966) == pytest.approx(1000.0, rel=1e-8)


def test_torque_is_power_undone():
    torque, speed = np.array([1.0, 250.0, 8e4]), np.array([60.0, 3000.0, 24000.0])
    np.testing.assert_allclose(torque_of(power_of(torque, speed), speed), torque, rtol=1e-14)
