# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mean forces of every step as numbers that hold at any feed; a package contains them instead of the engagement."""

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels import engagement_profile as profile
from camtwin_kernels import engagement_shapes as shapes
from camtwin_kernels import reduced
from freecad_camtwin.twin.cut.cutters import cutters_of
from freecad_camtwin.twin.cut.engagement import Engagement
from freecad_camtwin.twin.job.job import Job


def reduce(engagement: Engagement, job: Job) -> NDArray[np.float32]:
    """Return the mean forces of every step as a matrix: geometry once, any feed and any calibration afterwards.

    Shape (steps, 4, 6), one tooth's share; rows feed, normal (left-hand), axial (up) force on the workpiece and
    torque; columns ktc, krc, kac, per mm of fz, and kte, kre, kae. With N teeth and fz [mm]::

        [Fx, Fy, Fz, M] = N · (fz · matrix[:, :3] @ [ktc, krc, kac] + matrix[:, 3:] @ [kte, kre, kae])

    in N and N·mm for coefficients in MPa and N/mm. 18 of the 24 numbers can be other than zero, 12 for a cylindrical
    cutter. Formulas, signs and sources: ``camtwin_kernels.reduced``. The axial motion of a plunge makes no chip
    in this model; drilling forces are not part of it.
    """
    matrix = np.zeros((engagement.steps, 4, 6), np.float32)
    cutter = np.maximum(job.toolpath.tool, 0).astype(np.int32)[engagement.move]
    cutters = cutters_of(job, [])
    integrals = profile.profile_integrals if (cutters.shape == shapes.PROFILE).any() else reduced.integrals
    integrals(
        cutters,
        cutter,
        engagement.slice_z,
        engagement.slice_ap,
        engagement.slice_phi_st,
        engagement.slice_phi_ex,
        matrix,
    )
    return matrix
