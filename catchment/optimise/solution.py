"""What every model of the kernel returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

Status = Literal["optimal", "feasible", "infeasible", "unknown"]


@dataclass(frozen=True)
class Solution:
    """An answer with its certificate.

    Attributes
    ----------
    open : (m,) bool
        Sites in use.
    site_of : (n,) int32
        Site of each unit; -1 = unserved. Where demand is split, the site with the largest share.
    share : csr_matrix or None
        (n, m) units of demand sent from unit to site, where demand is split.
    objective : float
        Sum of demand x cost plus fixed costs; nan without a plan.
    bound : float
        A valid lower bound, or nan where none was proved.
    status : {"optimal", "feasible", "infeasible", "unknown"}
        What is known of the answer.
    seconds : float
        Wall-clock time used.
    seed : int
        Seed used.
    reason : str
        For ``infeasible``: which units and limits, in words and positions.
    timed_out : bool
        Whether the clock ended the search: another run may then end with another plan. A search
        that ends by its work, its bound or by itself gives the same plan again.
    rooms : (m,) int32 or None
        Classrooms added to each site, where sites may grow.
    """

    open: npt.NDArray[np.bool_]
    site_of: npt.NDArray[np.int32]
    share: csr_matrix | None
    objective: float
    bound: float
    status: Status
    seconds: float
    seed: int = 0
    reason: str = ""
    timed_out: bool = False
    rooms: npt.NDArray[np.int32] | None = None
