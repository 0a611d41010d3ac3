"""What if: an optimal splittable assignment kept ready, and changed without solving again.

Closing, reopening, resizing or adding a site and changing a village's demand each leave the old
plan optimal but for one overloaded or underfilled site; cheapest paths mend that. The result is
the optimum of the changed problem, as :func:`catchment.optimise.assignment.transport` finds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.errors import InputError, NotFoundError
from catchment.optimise import flow
from catchment.optimise.flow import Flow

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """Which sites' places bind an optimal assignment, and what one place is worth.

    Attributes
    ----------
    full : (m,) bool
        All places are taken.
    saves : (m,) float64
        What the cost of all that is served falls by with one more place there; zero where
        another place changes nothing, below zero only where it gives a place to one refused.
    serves : (m,) bool
        One more place there would give a place to one who is refused now.
    costs : (m,) float64
        What the cost rises by with one place fewer there; nan for sites without places. Below
        zero only where somebody would be refused.
    refuses : (m,) bool
        With one place fewer there somebody would be refused.
    """

    full: Bool
    saves: Float64
    serves: Bool
    costs: Float64
    refuses: Bool


@dataclass(frozen=True)
class Transport:
    """An optimal splittable assignment with room for what-ifs; every change returns a new one.

    Demand that finds no place is refused at a cost above every other, so that as much as
    possible is served, at least cost, whatever is closed.

    Attributes
    ----------
    cost : (n, m) float64
        Cost of one unit of demand, inf = not allowed.
    demand : (n,) float64
        Demand of each unit.
    capacity : (m,) float64
        Places of each site now.
    built : (m,) float64
        Places a site gets back when it is reopened.
    """

    cost: Float64
    demand: Float64
    capacity: Float64
    built: Float64
    _flow: Flow = field(repr=False)
    _tolerance: float = field(repr=False)
    _earlier: tuple[Int32, Int32, Float64] | None = field(default=None, repr=False)

    @cached_property
    def share(self) -> csr_matrix:
        """(n, m) demand sent from unit to site."""
        return flow.shares(self._flow, self.capacity.size)

    @cached_property
    def price(self) -> Float64:
        """(m,) what one more place at each site would save; the proof of optimality.

        The same for every optimal plan, whatever it was made from. Where demand is refused the
        price of refusal is in it; :attr:`limits` tells the two apart.
        """
        saved: Float64 = -flow.worth(self._flow, False, self._tolerance)[0]
        return saved[: self.capacity.size] + 0.0

    @cached_property
    def limits(self) -> Limits:
        """Which sites are full and what one place more or less there changes, exactly.

        Students count one by one: with whole numbers of students and places the changes are
        those of :meth:`resize` by one, else they hold for small parts of a place.
        """
        m = self.capacity.size
        refusal = float(self._flow.cost[0, m]) if self.demand.size else 0.0
        saved, gives = flow.worth(self._flow, False, self._tolerance)
        lost, takes = flow.worth(self._flow, True, self._tolerance)
        serves, refuses = gives[:m] == m, takes[:m] == m
        full = self.capacity - self.load <= self._tolerance
        costs = np.where(refuses, lost[:m] - refusal, lost[:m])
        return Limits(
            full=full,
            saves=np.where(serves, -saved[:m] - refusal, -saved[:m]) + 0.0,
            serves=serves,
            costs=np.where(self.capacity > 0, costs, np.nan),
            refuses=refuses & (self.capacity > 0),
        )

    @property
    def load(self) -> Float64:
        """(m,) demand served by each site."""
        return self._flow.load[: self.capacity.size].copy()

    @property
    def refused(self) -> float:
        """Demand without a place."""
        return float(self._flow.load[-1])

    @cached_property
    def objective(self) -> float:
        """Sum of demand x cost of all that is served."""
        counts = self._flow.site < self.capacity.size
        return float((self._paid * self._flow.amount)[counts].sum())

    @cached_property
    def _paid(self) -> Float64:
        """Cost of each entry, taken from the plan this one was made from where it is the same."""
        if self._earlier is None:
            none = np.empty(0, dtype=np.int32)
            return flow.paid(self._flow, none, none, np.empty(0))
        return flow.paid(self._flow, *self._earlier)

    @cached_property
    def bound(self) -> float:
        """Lower bound on the cost of serving all, from cost, demand, capacity and prices alone.

        It equals the objective where nothing is refused, and is nan where something is.
        """
        if self.refused > self._tolerance:
            return float("nan")
        return flow.dual_value(self.cost, self.demand, self.capacity, self.price)

    def close(self, site: int) -> Transport:
        """Take all places from a site.

        Parameters
        ----------
        site : int
            Position of the site.

        Returns
        -------
        Transport
            The optimum without the site.
        """
        return self.resize(site, 0.0)

    def reopen(self, site: int) -> Transport:
        """Give a site the places back that it was built with.

        Parameters
        ----------
        site : int
            Position of the site.

        Returns
        -------
        Transport
            The optimum with the site.
        """
        self._check_site(site)
        return self.resize(site, float(self.built[site]))

    def resize(self, site: int, capacity: float) -> Transport:
        """Set the places of a site.

        Parameters
        ----------
        site : int
            Position of the site.
        capacity : float
            Places, zero or more.

        Returns
        -------
        Transport
            The optimum with so many places.

        Raises
        ------
        NotFoundError
            Where there is no such site.
        InputError
            Where the places are below zero or not a number.
        """
        self._check_site(site)
        if not capacity >= 0:
            raise InputError(
                f"学位数应不小于 0，实为 {capacity} / places must be zero or more, not {capacity}"
            )
        state = _copied(self._flow)
        state.capacity[site] = capacity
        who, amount = flow.emptied(state, site, capacity, self._tolerance)
        state = self._mended(state, [] if who.size else [site], who, amount)
        places = self.capacity.copy()
        places[site] = capacity
        return self._with(state, capacity=places)

    def set_demand(self, unit: int, demand: float) -> Transport:
        """Set the demand of a unit.

        Parameters
        ----------
        unit : int
            Position of the unit.
        demand : float
            Zero or more.

        Returns
        -------
        Transport
            The optimum with that demand.

        Raises
        ------
        NotFoundError
            Where there is no such unit.
        InputError
            Where the demand is below zero or not finite.
        """
        self._check_unit(unit)
        if not (np.isfinite(demand) and demand >= 0):
            raise InputError(
                f"人数应不小于 0，实为 {demand} / demand must be zero or more, not {demand}"
            )
        state = _copied(self._flow)
        more = demand - float(self.demand[unit])
        touched = []
        row = flow.shares(state)[unit]
        for site, amount in zip(row.indices, row.data, strict=True):
            if more >= 0:
                break
            part = min(float(amount), -more)
            flow.pull(state, unit, int(site), part)
            touched.append(int(site))
            more += part
        extra = np.array([more] if more > 0 else [])
        state = self._mended(state, touched, np.full(extra.size, unit, dtype=np.int32), extra)
        changed = self.demand.copy()
        changed[unit] = demand
        return self._with(state, demand=changed)

    def add_site(self, cost: Float64, capacity: float) -> Transport:
        """Open a new site after the last one.

        Parameters
        ----------
        cost : (n,) float
            Cost of one unit of demand of each unit there, inf = not allowed.
        capacity : float
            Places.

        Returns
        -------
        Transport
            The optimum with the new site. Where demand is refused and the new site's costs make
            refusing too cheap in comparison, it is solved afresh.

        Raises
        ------
        InputError
            Where the costs or the places are no such numbers.
        """
        column = np.asarray(cost, dtype=np.float64)
        if column.shape != self.demand.shape or not (column > -np.inf).all():
            raise InputError(
                f"新校点的费用应为 {self.demand.size} 个数或 inf / "
                f"a new site needs {self.demand.size} costs, numbers or inf"
            )
        if not capacity >= 0:
            raise InputError(
                f"学位数应不小于 0，实为 {capacity} / places must be zero or more, not {capacity}"
            )
        m = self.capacity.size
        wide = np.empty((self.demand.size, m + 2))
        wide[:, :m], wide[:, m] = self._flow.cost[:, :m], column
        refusal = float(self._flow.cost[0, m]) if self.demand.size else 1.0
        needed = flow.price_of_refusal(wide[:, : m + 1])
        places, built = np.append(self.capacity, capacity), np.append(self.built, capacity)
        if needed > refusal and self.refused > self._tolerance:
            made = prepare(wide[:, : m + 1].copy(), self.demand, places)
            return Transport(
                made.cost, made.demand, made.capacity, built, made._flow, made._tolerance
            )
        wide[:, m + 1] = max(needed, refusal)
        kind = flow.width(wide[:, : m + 1]) if self._flow.cost.dtype == np.float32 else np.float64
        state = flow.with_site(flow.in_width(self._flow, kind), wide.astype(kind), capacity)
        # prices of refusal follow: nobody is refused where they rise
        state.shift[:, m + 1] += wide[:1, m + 1].sum() - refusal
        state.back[m + 1] = state.shift[:, m + 1]
        state = self._mended(state, [m], np.empty(0, dtype=np.int32), np.empty(0))
        return Transport(wide[:, : m + 1], self.demand, places, built, state, self._tolerance)

    def send(self, unit: int, site: int) -> Transport:
        """Send a unit to one site and to no other, all others where it is best for them.

        Parameters
        ----------
        unit : int
            Position of the unit.
        site : int
            Position of the site.

        Returns
        -------
        Transport
            The optimum in which the unit may go nowhere else; where the site has not places
            enough others leave it, and if that does not suffice demand is refused.

        Raises
        ------
        NotFoundError
            Where there is no such unit or site.
        InputError
            Where the unit cannot go to that site.
        """
        self._check_unit(unit)
        self._check_site(site)
        if not np.isfinite(self.cost[unit, site]):
            raise InputError(
                f"第 {unit} 个单元不能去第 {site} 个校点 / "
                f"the unit at position {unit} cannot go to the site at position {site}"
            )
        m = self.capacity.size
        given = self.cost.copy()
        given[unit] = np.inf
        given[unit, site] = self.cost[unit, site]
        cost = self._flow.cost.copy()
        cost[unit, :m] = given[unit]
        state = _copied(self._flow)
        left = []
        row = flow.shares(state)[unit]
        for at, amount in zip(row.indices, row.data, strict=True):
            flow.pull(state, unit, int(at), float(amount))
            left.append(int(at))
        demand = self.demand[[unit]]
        state = self._mended(
            state._replace(cost=cost),
            left,
            np.full(int(demand[0] > 0), unit, dtype=np.int32),
            demand[demand > 0],
        )
        return self._with(state, cost=given)

    def _check_unit(self, unit: int) -> None:
        if not 0 <= unit < self.demand.size:
            raise NotFoundError(f"没有第 {unit} 个单元 / there is no unit at position {unit}")

    def _check_site(self, site: int) -> None:
        if not 0 <= site < self.capacity.size:
            raise NotFoundError(f"没有第 {site} 个校点 / there is no site at position {site}")

    def _mended(self, state: Flow, sites: list[int], who: Int32, amount: Float64) -> Flow:
        """Fill sites that have places to spare, then put units in: optimal again."""
        cheap = self._tolerance and 1e-12 * float(np.abs(state.price).max(initial=1.0))
        for site in sites:
            while flow.draw(state, site, self._tolerance, cheap) == flow.FULL:
                state = flow.grown(state)
        while who.size and flow.place(state, who, amount, self._tolerance) == flow.FULL:
            state = flow.grown(state)
        return state

    def _with(
        self,
        state: Flow,
        *,
        cost: Float64 | None = None,
        demand: Float64 | None = None,
        capacity: Float64 | None = None,
    ) -> Transport:
        return Transport(
            self.cost if cost is None else cost,
            self.demand if demand is None else demand,
            self.capacity if capacity is None else capacity,
            self.built,
            state,
            self._tolerance,
            (self._flow.unit, self._flow.site, self._paid),
        )


def prepare(cost: Float64, demand: Float64, capacity: Float64) -> Transport:
    """Solve a splittable assignment and keep it ready for changes.

    Parameters
    ----------
    cost, demand, capacity : float64
        As checked by :func:`catchment.optimise.assignment.checked`.

    Returns
    -------
    Transport
        The optimum.
    """
    n, m = cost.shape
    wide = np.empty((n, m + 1), dtype=flow.width(cost))
    wide[:, :m], wide[:, m] = cost, flow.price_of_refusal(cost)
    limited = capacity[np.isfinite(capacity)]
    whole = bool(
        (demand == np.rint(demand)).all()
        and (limited == np.rint(limited)).all()
        and (cost[np.isfinite(cost)] == np.rint(cost[np.isfinite(cost)])).all()
    )
    tolerance = 0.0 if whole else 1e-12 * float(demand.sum() + limited.sum())
    state, _ = flow.solve(flow.new_flow(wide, np.append(capacity, np.inf)), demand, tolerance)
    return Transport(cost, demand.copy(), capacity.copy(), capacity.copy(), state, tolerance)


def _copied(state: Flow) -> Flow:
    """Copy all that changes; the costs are shared."""
    changing = {name: getattr(state, name).copy() for name in Flow._fields if name != "cost"}
    return state._replace(**changing)
