"""The solver, behind one function; nothing else in the package imports it."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

import highspy
import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix, spmatrix

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

MilpStatus = Literal["optimal", "infeasible", "stopped", "failed"]


_PATIENCE = 2.0
"""Seconds that Ctrl-C may wait for the solver."""
_SEEDS = 2**31 - 1
"""Seeds that the solver takes; it refuses larger ones."""


@dataclass(frozen=True)
class MilpAnswer:
    """What the solver says; callers recheck it.

    Attributes
    ----------
    status : {"optimal", "infeasible", "stopped", "failed"}
        ``stopped``: a limit was reached (``x`` may still hold a plan); ``failed``: unbounded,
        numerical trouble or a refused model.
    x : (k,) float64 or None
        Values of the best plan found.
    objective : float
        Its value, nan without a plan.
    bound : float
        Lower bound on every plan, -inf where none was proved.
    row_dual : (r,) float64 or None
        Prices of the rows, only for a solved model without whole-number variables.
    reduced_cost : (k,) float64 or None
        Reduced costs of the variables, likewise.
    iterations : int
        Steps of the simplex method for a model with whole-number variables, the same on every
        machine.
    """

    status: MilpStatus
    x: Float64 | None
    objective: float
    bound: float
    row_dual: Float64 | None = None
    reduced_cost: Float64 | None = None
    iterations: int = 0


def solve_milp(
    cost: Float64,
    matrix: spmatrix,
    row_lower: Float64,
    row_upper: Float64,
    *,
    lower: Float64 | float = 0.0,
    upper: Float64 | float = np.inf,
    integer: Bool | None = None,
    time_limit: float = np.inf,
    gap: float = 0.0,
    start: Float64 | None = None,
    presolve: bool = True,
    threads: int = 1,
    seed: int = 0,
    options: dict[str, bool | int | float | str] | None = None,
) -> MilpAnswer:
    """Minimise ``cost @ x`` with ``row_lower <= matrix @ x <= row_upper`` and bounds on x.

    Parameters
    ----------
    cost : (k,) float
        Objective.
    matrix : (r, k) sparse
        Rows.
    row_lower, row_upper : (r,) float
        Limits of the rows, -inf and inf for none.
    lower, upper : (k,) float or float
        Limits of the variables.
    integer : (k,) bool, optional
        Which variables are whole numbers; none by default (a linear program).
    time_limit : float
        Seconds.
    gap : float
        Relative gap at which the search may stop.
    start : (k,) float, optional
        A plan to start from.
    presolve : bool
        Whether to reduce the model first.
    threads : int
        Threads of the solver.
    seed : int
        Seed of the solver.
    options : dict, optional
        Further options of the solver by its own names.

    Returns
    -------
    MilpAnswer
        The plan, a bound and what is known of them.
    """
    if time_limit <= 0:
        return MilpAnswer("stopped", None, np.nan, -np.inf)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    settings: dict[str, bool | int | float | str] = {
        "output_flag": False,
        "threads": threads,
        "random_seed": seed % _SEEDS,
        "mip_rel_gap": gap,
        "mip_abs_gap": 0.0 if gap == 0.0 else 1e-9,
        "presolve": "choose" if presolve else "off",
    }
    if np.isfinite(time_limit):
        settings["time_limit"] = float(time_limit)
    for name, value in {**settings, **(options or {})}.items():
        solver.setOptionValue(name, value)
    table = csc_matrix(matrix)
    table.sort_indices()
    count = table.shape[1]
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = count, table.shape[0]
    model.col_cost_ = np.asarray(cost, dtype=np.float64)
    model.col_lower_ = np.broadcast_to(np.asarray(lower, dtype=np.float64), (count,)).copy()
    model.col_upper_ = np.broadcast_to(np.asarray(upper, dtype=np.float64), (count,)).copy()
    model.row_lower_ = np.asarray(row_lower, dtype=np.float64)
    model.row_upper_ = np.asarray(row_upper, dtype=np.float64)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = table.indptr
    model.a_matrix_.index_ = table.indices
    model.a_matrix_.value_ = table.data.astype(np.float64)
    whole = integer is not None and bool(np.any(integer))
    if integer is not None and whole:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[int(flag)] for flag in integer]
    if solver.passModel(model) == highspy.HighsStatus.kError:
        return MilpAnswer("failed", None, np.nan, -np.inf)
    if start is not None:
        plan = highspy.HighsSolution()
        plan.col_value = np.asarray(start, dtype=np.float64).tolist()
        solver.setSolution(plan)
    if whole and time_limit > _PATIENCE and threading.current_thread() is threading.main_thread():
        _run_heeding_ctrl_c(solver)
    else:
        solver.run()
    return _answer(solver, whole)


def _run_heeding_ctrl_c(solver: highspy.Highs) -> None:
    """Run so that Ctrl-C ends the solver, too, and is passed on once it has ended."""
    pressed: list[int] = []

    def press(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)

    def asked(event: Any) -> None:
        # The solver asks now and then; only then does the interpreter take the signal in.
        if pressed:
            event.interrupt()

    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        # Ctrl-C is ignored, or somebody else's.
        solver.run()
        return
    signal.signal(signal.SIGINT, press)
    solver.cbMipInterrupt += asked
    try:
        solver.run()
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        before(pressed[0], None)


def _answer(solver: highspy.Highs, whole: bool) -> MilpAnswer:
    """Read what the solver ended with."""
    ended, info = solver.getModelStatus(), solver.getInfo()
    statuses = highspy.HighsModelStatus
    status: MilpStatus
    if ended in (statuses.kOptimal, statuses.kModelEmpty):
        status = "optimal"
    elif ended == statuses.kInfeasible:
        return MilpAnswer("infeasible", None, np.nan, np.inf)
    elif ended in (
        statuses.kTimeLimit,
        statuses.kIterationLimit,
        statuses.kSolutionLimit,
        statuses.kInterrupt,
        statuses.kObjectiveBound,
        statuses.kObjectiveTarget,
    ):
        status = "stopped"
    else:
        return MilpAnswer("failed", None, np.nan, -np.inf)
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    solution = solver.getSolution()
    x = np.array(solution.col_value) if found else None
    objective = float(info.objective_function_value) if found else np.nan
    if whole:
        steps = max(0, int(info.simplex_iteration_count))
        return MilpAnswer(status, x, objective, float(info.mip_dual_bound), iterations=steps)
    if status != "optimal":
        return MilpAnswer(status, x, objective, -np.inf)
    return MilpAnswer(
        status,
        x,
        objective,
        objective,
        np.array(solution.row_dual),
        np.array(solution.col_dual),
    )
