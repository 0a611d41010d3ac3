"""Rows that forbid what cuts villages off, found where a plan of the exact model breaks them.

There are far too many of them to lay out at once: a village may belong to a catchment only with one
of the villages that stand between it and the school, whichever these are.
"""

from __future__ import annotations

import numpy as np

from catchment.optimise.phases.blocks import Draft, Row, Terms
from catchment.optimise.phases.contiguous import Ground, pieces_of
from catchment.problem import Int32


def connecting(draft: Draft, ground: Ground, site_of: Int32) -> list[Row]:
    """Rows that a plan breaks where it cuts villages off from their school.

    Of a piece that is cut off, each village that counts may belong to the catchment only with one
    of the villages around the piece: in that year and band, and in all others in which each of
    these has children. A village may belong to a school only with the school's own village.

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
    for t in range(1, draft.years):
        for b in range(len(ground.group_at)):
            for j in np.unique(site_of[ground.group_at[b][ground.group_at[b] >= 0], t]):
                if j >= 0:
                    for row in _rows(draft, ground, site_of, b, int(j), t):
                        out.setdefault(row.name, row)
    return list(out.values())


def _rows(draft: Draft, ground: Ground, site_of: Int32, b: int, j: int, t: int) -> list[Row]:
    held, pieces = pieces_of(ground, site_of, b, j, t)
    own = int(ground.home[j])
    if held is None and not ground.astray[b, j]:
        mine = ground.group_at[b]
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
    if held is None:
        if not any(piece.counted for piece in pieces[1:]):
            return []
        if not pieces[0].counted:
            # Villages that do not count make up most of it: this very catchment is forbidden.
            return [_never(draft, ground, site_of, b, j, t)]
        anchor = int(ground.group_at[b, pieces[0].counted[0]])
        for piece in pieces[1:]:
            around = [int(k) for k in ground.group_at[b, piece.around]]
            groups = [int(ground.group_at[b, v]) for v in piece.counted]
            out += [_row(draft, [i, anchor], around, j, t) for i in groups]
        return out
    home = int(ground.group_at[b, own])
    for piece in pieces:
        if home >= 0 and ground.astray[b, j]:
            # Only while its own village is there must all be joined to that.
            anchors = [] if _is_idle(ground, home, t) else [home]
            around = [int(k) for k in ground.group_at[b, piece.around]]
            groups = [int(ground.group_at[b, v]) for v in piece.counted]
            out += [_row(draft, [i, *anchors], around, j, t) for i in groups]
        else:
            out += _everywhere(draft, ground, piece.counted, piece.around, b, j, t)
    return out


def _everywhere(
    draft: Draft, ground: Ground, inside: list[int], around: list[int], b: int, j: int, t: int
) -> list[Row]:
    """Villages of a piece only with one of those around it: in all years and bands it holds for."""
    out = []
    for band, rows in enumerate(ground.group_at):
        beside = [int(k) for k in rows[around]]
        aimless = int(rows[int(ground.home[j])]) >= 0 and ground.astray[band, j]
        if min(beside, default=0) < 0 or (band != b and aimless):
            continue
        for year in range(1, draft.years):
            here = band == b and year == t
            if not here and any(_is_idle(ground, k, year) for k in beside):
                continue
            for v in inside:
                i = int(rows[v])
                if i < 0 or _is_idle(ground, i, year) or ground.sent[i]:
                    continue
                if not (ground.excused[i] and int(draft.model.today[i]) == j):
                    out.append(_row(draft, [i], beside, j, year))
    return [row for row in out if row.terms]


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
