# SPDX-License-Identifier: LGPL-2.1-or-later
"""From engagement to load: forces, torque, power and deflection of every step of the path, at any feed."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices
from freecad_camtwin.twin.base.power import power_of
from freecad_camtwin.twin.cut import deflection, edge
from freecad_camtwin.twin.cut.deflection import Stiffness
from freecad_camtwin.twin.cut.drilling import STEEP, Drilling
from freecad_camtwin.twin.cut.milling import CutSlices, Milling
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.shop.material import Material

if TYPE_CHECKING:
    from freecad_camtwin.twin.cut.engagement import Engagement


@dataclass(frozen=True)
class Load:
    """The load of every step on tool and spindle, each (steps,). NaN where job or material lack a needed value."""

    feed: Floats  #: vf [mm/s]
    fz: Floats  #: feed per tooth, along the path [mm]
    q: Floats  #: material removal rate [mm³/s]
    h_ex: Floats  #: largest chip thickness [mm]
    h_m: Floats  #: mean chip thickness over all engaged edge [mm]
    force: Floats  #: largest resultant in the working plane over a revolution [N]
    force_mean: Floats  #: resultant of the mean forces in the working plane [N]
    torque: Floats  #: largest over a revolution [N·mm]
    torque_mean: Floats  #: [N·mm]
    power: Floats  #: mean, net at the tool [W]
    deflection: Floats  #: static, of the tip, under ``force`` [mm]
    thrust: Floats  #: mean axial force, pushing the tool into its holder > 0 [N]


#: Steps that are prepared at a time: each needs some 500 bytes of temporary memory.
CHUNK = 100_000
#: The columns of a Load that a tool's own steps fill.
_COLUMNS = ("h_ex", "h_m", "force", "force_mean", "torque", "torque_mean", "thrust")


class ForceModel(Protocol):
    """The steps of one tool in one material, their geometry computed once; see ``FORCE_MODELS``."""

    chip_max: Floats  #: h_ex / fz, (steps,)

    def loads(self, fz: Floats, fn: Floats) -> Iterator[tuple[str, Floats]]:
        """Yield the columns of ``Load`` from h_ex to thrust, at a feed per tooth and per revolution.

        All arrays are (steps,), in mm, N and N·mm. A column that is not yielded is unknown.
        """


def _milling(tool: Tool, material: Material, cut: CutSlices) -> ForceModel:
    return Milling(edge.cutter_of(tool), tool.zefp or 1, material, cut)


def _drilling(tool: Tool, material: Material, cut: CutSlices) -> ForceModel:
    return Drilling(tool, material, cut.area, cut.plunge)


#: Tool shape → the function that makes its force model; every other shape is a milling tool (docs/recipes.md).
FORCE_MODELS: dict[Shape, Callable[[Tool, Material, CutSlices], ForceModel]] = {
    Shape.DRILL: _drilling,
}


class LoadModel:
    """The load of a job's steps as a function of feed. Geometry is computed here, once; ``at`` is cheap.

    All loads grow with the feed. A load that cannot be computed is NaN, and ``unknown`` gives the reason.
    """

    def __init__(
        self, engagement: "Engagement", job: Job, material: Material | None, *, stiffness: Stiffness | None = None
    ) -> None:
        path = job.toolpath
        self.material, self.stiffness = material, stiffness or Stiffness()
        self._engagement, self._job = engagement, job
        self.feed = np.asarray(path.feed[engagement.move])  #: (steps,) programmed [mm/s]
        programmed = path.n_rpm[engagement.move]
        self.n_rpm = np.where(programmed > 0, programmed, math.nan)  #: (steps,) NaN where unknown or standing
        #: (steps,) removed volume per length of path [mm²], so that q = area·feed
        self.area = np.where(engagement.length > 0, engagement.volume / np.maximum(engagement.length, 1e-12), 0.0)
        self._tool = path.tool[engagement.move]
        self._teeth = np.array([float(tool.zefp or math.nan) for tool in job.tools] + [math.nan])[self._tool]
        self._groups = [(steps, tool, self._force_model(tool, steps)) for steps, tool in self._by_tool()]

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.feed)

    def _by_tool(self) -> Iterator[tuple[Indices, Tool]]:
        for index, tool in enumerate(self._job.tools):
            steps = np.flatnonzero(self._tool == index)
            for first in range(0, len(steps), CHUNK):
                yield steps[first : first + CHUNK], tool

    def _cut(self, steps: Indices) -> CutSlices:
        e = self._engagement
        slices = (e.slice_z, e.slice_ap, e.slice_phi_st, e.slice_phi_ex)
        return CutSlices(self.area[steps], e.plunge[steps].astype(float), *(a[steps].astype(float) for a in slices))

    def _force_model(self, tool: Tool, steps: Indices) -> ForceModel | None:
        if tool.shape is None or edge.missing_for_force(tool):
            return None
        return FORCE_MODELS.get(tool.shape, _milling)(tool, self.material or _ANY, self._cut(steps))

    def _gaps(self, tool: Tool) -> tuple[str, ...]:
        """Return the names of the values that are missing to compute a tool's loads."""
        gaps: tuple[str, ...] = () if self.material else ("material",)
        gaps += edge.missing_for_force(tool)
        if tool.shape is not Shape.DRILL:
            return gaps + (() if tool.zefp else ("number of flutes",))
        return gaps + Drilling.missing(tool)

    @cached_property
    def _compliance(self) -> Floats:
        e = self._engagement
        ap = np.nan_to_num(e.slice_ap)
        height = (ap * np.nan_to_num(e.slice_z)).sum(axis=1) / np.maximum(ap.sum(axis=1), 1e-12)
        out = np.full(self.steps, math.nan)
        for steps, tool, _ in self._groups:
            # The side forces on the lips of a drill cancel: it does not bend.
            is_drill = tool.shape is Shape.DRILL
            out[steps] = 0.0 if is_drill else deflection.compliance(tool, self.stiffness, height[steps])
        return out

    @cached_property
    def thickness(self) -> Floats:
        """h_ex / fz of every step, (steps,): geometry alone, independent of spindle speed, flutes and material."""
        out = np.full(self.steps, math.nan)
        for steps, _, cut in self._groups:
            if cut is not None:
                out[steps] = cut.chip_max
        return out

    def at(self, feed: Floats | None = None) -> Load:
        """Return the load of every step at ``feed`` [mm/s], (steps,), by default the programmed feed."""
        feed = self.feed if feed is None else np.asarray(feed, float)
        fn = feed * 60 / self.n_rpm
        fz = fn / self._teeth
        columns = {name: np.full(self.steps, math.nan) for name in _COLUMNS}
        for steps, _, cut in self._groups:
            for name, values in cut.loads(fz[steps], fn[steps]) if cut is not None else ():
                # Without a material only the chip thickness is known.
                columns[name][steps] = values if self.material or name in ("h_ex", "h_m") else math.nan
        columns["torque"] = np.maximum(columns["torque"], columns["torque_mean"])
        return Load(
            feed=feed,
            fz=fz,
            q=self.area * feed,
            power=power_of(columns["torque_mean"], self.n_rpm),
            deflection=columns["force"] * self._compliance,
            **columns,
        )

    @cached_property
    def unknown(self) -> tuple[tuple[str, ...], ...]:
        """Per operation, the names of the values that are missing to compute its loads; empty if all are known."""
        path, e = self._job.toolpath, self._engagement
        cuts = (np.asarray(e.volume) > 0) & path.is_cutting[e.move]
        operation = path.operation[e.move]
        return tuple(
            self._unknown_of(np.flatnonzero(cuts & (operation == i))) for i in range(len(self._job.operations))
        )

    def _unknown_of(self, steps: Indices) -> tuple[str, ...]:
        words: list[str] = []
        if np.isnan(self.feed[steps]).any():
            words.append("feed")
        if np.isnan(self.n_rpm[steps]).any():
            words.append("spindle speed")
        if (self._tool[steps] < 0).any():
            words.append("tool")
        for index in np.unique(self._tool[steps][self._tool[steps] >= 0]):
            tool, own = self._job.tools[index], steps[self._tool[steps] == index]
            words += self._gaps(tool)
            if tool.shape is Shape.DRILL:
                words += ["drill moving sideways"] if (self._engagement.plunge[own] < STEEP).any() else []
            else:
                words += deflection.missing_for_deflection(tool, self.stiffness)
        return tuple(dict.fromkeys(words))


#: Used if there is no material and only the geometry counts.
_ANY = Material("any", ktc=1.0, kte=0.0)


def load_of_steps(
    engagement: "Engagement",
    job: Job,
    material: Material | None,
    *,
    feed: Floats | None = None,
    stiffness: Stiffness | None = None,
) -> Load:
    """Return the load of every step once. For several feeds keep a ``LoadModel``."""
    return LoadModel(engagement, job, material, stiffness=stiffness).at(feed)
