"""Rows that forbid what cuts villages off, found where a plan of the exact model breaks them.

There are far too many of them to lay out at once: a village may belong to a catchment only with one
of the villages that stand between it and the school, whichever these are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from catchment.optimise.phases.contiguous import Ground, flood, reached
from catchment.optimise.phases.decode import trajectory
from catchment.optimise.phases.draft import Draft, Row, Terms
from catchment.problem import Bool, Int32


class _Piece(NamedTuple):
    """A part of a catchment that is cut off, villages that may be passed through included."""

    villages: Bool
    counted: list[int]
    around: list[int]


class _Catchment(NamedTuple):
    """One catchment of a plan: what hangs together with the school, and what does not.

    ``whole`` tells whether the school's own village is with it; where it is not, ``pieces`` has all
    parts, the one that is kept first.
    """

    band: int
    site: int
    year: int
    whole: bool
    kept: Bool
    pieces: list[_Piece]


def connecting(draft: Draft, ground: Ground, site_of: Int32) -> list[Row]:
    """Rows that a plan breaks where it cuts villages off from their school.

    Of a piece that is cut off, each village that counts may belong to the catchment only with one
    of those that separate it from the school: those beside the piece from where the school can be
    reached at all, and those beside what hangs together with the school from where the piece can.
    A village may belong to a school only with the school's own village.

    Parameters
    ----------
    draft : Draft
        Columns of the exact model.
    ground : Ground
        Who neighbours whom.
    site_of : (n, t) int32
        Sites of a plan.

    Returns
    -------
    list of Row
        Empty where nobody is cut off.
    """
    out: dict[str, Row] = {}
    may: Bool | None = None
    for t in range(1, draft.years):
        for b, rows in enumerate(ground.group_at):
            for j in np.unique(site_of[rows[rows >= 0], t]):
                if j < 0:
                    continue
                found = _catchment(ground, site_of, b, int(j), t)
                if not found.pieces and found.whole:
                    continue
                if may is None:
                    may = _possible(draft)
                for row in _rows(draft, ground, may, site_of, found):
                    out.setdefault(row.name, row)
    return list(out.values())


def _possible(draft: Draft) -> Bool:
    """Whether a group may be at a site in a year at all."""
    model = draft.model
    n, m, years = len(model.today), len(model.low), draft.years
    may = np.zeros((n, m + 1, years), dtype=np.bool_)
    year = np.arange(years)
    np.put_along_axis(may, trajectory(model, draft.held, years)[:, None, :], values=True, axis=1)
    for i, column in draft.stay.items():
        may[i] = False
        if draft.upper[column] > 0:
            may[i, model.today[i]] = True
    for (i, o, when), column in draft.move.items():
        if draft.upper[column] > 0:
            may[i, model.site[o], when:] = True
            may[i, model.today[i], year < when] = True
    return may


def _catchment(ground: Ground, site_of: Int32, b: int, j: int, t: int) -> _Catchment:
    rows, own = ground.group_at[b], int(ground.home[j])
    there = np.maximum(rows, 0)
    idle = _idle_in(ground, b, t)
    site = np.where(idle, -2, site_of[there, t]).astype(np.int32)
    kept = reached(ground.first, ground.near, own, site, j)
    whole = bool(site[own] in (j, -2))
    mine = (site == j) | (site == -2)
    out = []

    def told(piece: Bool) -> _Piece:
        counted = [
            int(v)
            for v in np.flatnonzero(piece & (site == j))
            if not (ground.excused[rows[v]] and site_of[rows[v], 0] == j)
            and not ground.sent[rows[v]]
        ]
        return _Piece(piece, counted, [int(v) for v in np.flatnonzero(_beside(ground, piece))])

    if not whole and kept.any():
        out.append(told(kept))
    seen = kept.copy()
    for v in np.flatnonzero((site == j) & ~kept):
        if not seen[v]:
            piece = flood(ground, mine, np.arange(len(site)) == v)
            seen |= piece
            part = told(piece)
            if part.counted or not whole:
                out.append(part)
    return _Catchment(b, j, t, whole, kept, out)


def _beside(ground: Ground, villages: Bool) -> Bool:
    """Villages beside some others."""
    out = np.zeros_like(villages)
    for v in np.flatnonzero(villages):
        out[ground.near[ground.first[v] : ground.first[v + 1]]] = True
    return out & ~villages


def _rows(draft: Draft, ground: Ground, may: Bool, site_of: Int32, found: _Catchment) -> list[Row]:
    b, j, t, pieces = found.band, found.site, found.year, found.pieces
    own, mine = int(ground.home[j]), ground.group_at[b]
    if not found.whole and not ground.astray[b, j]:
        members = [
            int(i) for i in mine[mine >= 0] if site_of[i, t] == j and not _is_idle(ground, i, t)
        ]
        return [
            _row(draft, [i], [int(mine[own])], j, year)
            for i in members
            for year in range(1, draft.years)
            if not _is_idle(ground, i, year) and not _is_idle(ground, int(mine[own]), year)
        ]
    out = []
    if not found.whole:
        if not any(piece.counted for piece in pieces[1:]):
            return []
        if not pieces[0].counted:
            # Villages that do not count make up most of it: this very catchment is forbidden.
            return [_never(draft, ground, site_of, b, j, t)]
        anchor = int(mine[pieces[0].counted[0]])
        for piece in pieces[1:]:
            around = [int(k) for k in mine[piece.around]]
            out += [_row(draft, [int(mine[v]), anchor], around, j, t) for v in piece.counted]
        return out
    home = int(mine[own])
    for piece in pieces:
        if home >= 0 and ground.astray[b, j]:
            # Only while its own village is there must all be joined to that.
            anchors = [] if _is_idle(ground, home, t) else [home]
            around = [int(k) for k in mine[piece.around]]
            out += [_row(draft, [int(mine[v]), *anchors], around, j, t) for v in piece.counted]
        else:
            out += _everywhere(draft, ground, may, found, piece)
    return out


def _everywhere(
    draft: Draft, ground: Ground, may: Bool, found: _Catchment, piece: _Piece
) -> list[Row]:
    """Villages of a piece only with what separates them from the school, all years and bands."""
    out, j = [], found.site
    own = np.arange(ground.group_at.shape[1]) == ground.home[j]
    for band, rows in enumerate(ground.group_at):
        home = int(rows[int(ground.home[j])])
        if home >= 0 and ground.astray[band, j]:
            continue
        for year in range(1, draft.years):
            passed = _idle_in(ground, band, year)
            there = ~passed & may[np.maximum(rows, 0), j, year]
            inside = [
                v
                for v in piece.counted
                if there[v]
                and not ground.sent[rows[v]]
                and not (ground.excused[rows[v]] and int(draft.model.today[rows[v]]) == j)
            ]
            if not inside:
                continue
            near = _near_the_piece(ground, piece.villages & (passed | there), own, passed, there)
            far = _near_the_school(ground, piece.villages & there, found.kept, own, passed, there)
            for cut in {None if c is None else c.tobytes(): c for c in (near, far)}.values():
                if cut is not None:
                    beside = [int(rows[v]) for v in np.flatnonzero(cut)]
                    out += [
                        _row(draft, [int(rows[v])], beside, j, year) for v in inside if not cut[v]
                    ]
    return [row for row in out if row.terms]


def _near_the_piece(
    ground: Ground, piece: Bool, own: Bool, passed: Bool, there: Bool
) -> Bool | None:
    """Villages beside a piece to which there may be a way from the school; None if it is there."""
    grown = flood(ground, passed, piece)
    if (grown & own).any():
        return None
    beside = _beside(ground, grown) & there
    free = (passed | there) & ~beside & ~grown
    school = flood(ground, free, own & free)
    return beside & (own | _beside(ground, school))


def _near_the_school(
    ground: Ground, piece: Bool, kept: Bool, own: Bool, passed: Bool, there: Bool
) -> Bool | None:
    """Villages beside a school's part of a catchment from which there may be a way to a piece."""
    grown = flood(ground, passed, (kept & (passed | there)) | own)
    if (grown & piece).any():
        return None
    beside = _beside(ground, grown) & there
    free = (passed | there) & ~beside & ~grown
    reach = flood(ground, free, piece & free)
    return beside & (piece | _beside(ground, reach))


def _idle_in(ground: Ground, b: int, t: int) -> Bool:
    """Whether a village has no children of a band in a year, or no group at all."""
    rows = ground.group_at[b]
    bits = ground.idle[np.maximum(rows, 0)] >> np.uint64(t)
    return np.asarray((rows < 0) | (bits & np.uint64(1) != 0), dtype=np.bool_)


def _is_idle(ground: Ground, i: int, t: int) -> bool:
    return bool((int(ground.idle[i]) >> t) & 1)


def _row(draft: Draft, inside: list[int], around: list[int], j: int, t: int) -> Row:
    """All of some groups at a site only with one of those around."""
    terms: Terms = []
    limit = float(len(inside) - 1)
    for i in inside:
        there, always = _at(draft, i, j, t)
        terms += there
        limit -= always
    for i in around:
        there, always = _at(draft, i, j, t)
        terms += [(c, -v) for c, v in there]
        limit += always
    name = ",".join(str(i) for i in inside) + "|" + ",".join(str(i) for i in around)
    return Row(f"connected[{j},{t},{name}]", terms, -np.inf, limit)


def _never(draft: Draft, ground: Ground, site_of: Int32, b: int, j: int, t: int) -> Row:
    """Not exactly these groups at a site in a year."""
    terms: Terms = []
    limit, members = -1.0, []
    for i in ground.group_at[b]:
        if i < 0 or _is_idle(ground, i, t):
            continue
        there, always = _at(draft, int(i), j, t)
        inside = site_of[i, t] == j
        members += [int(i)] if inside else []
        terms += [(c, v if inside else -v) for c, v in there]
        limit += (1.0 - always) if inside else always
    name = ",".join(str(i) for i in members)
    return Row(f"connected[{j},{t},not {name}]", terms, -np.inf, limit)


def _at(draft: Draft, i: int, j: int, t: int) -> tuple[Terms, float]:
    """Columns with which a group is at a site in a year, and 1 where it is there anyhow."""
    model = draft.model
    home = int(model.today[i]) == j
    if i not in draft.stay:
        o, when = int(draft.held[0][i]), int(draft.held[1][i])
        if model.last[i] < 1:
            o = -1
        moved = o >= 0 and t >= when
        return [], float(int(model.site[o]) == j if moved else home)
    terms: Terms = [(draft.stay[i], 1.0)] if home else []
    for o in range(int(model.first[i]), int(model.first[i + 1])):
        there = int(model.site[o]) == j
        for when in range(1, draft.years):
            column = draft.move.get((i, o, when))
            if column is not None and (there if t >= when else home):
                terms.append((column, 1.0))
    return terms, 0.0
