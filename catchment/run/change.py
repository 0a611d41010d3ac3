"""Where nothing meets what is asked: a witness to count, and the single changes that would do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from catchment.english import counted
from catchment.errors import InfeasibleError
from catchment.optimise.layout import refused
from catchment.optimise.wishes import Wishes, Witness
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.run.model import names_of_sites
from catchment.run.witnessed import Said, said_of

SEARCHES = 60
"""Times that a changed question is solved at most."""


@dataclass(frozen=True)
class Impossible:
    """Why a recipe has no plan, and what would make one.

    Attributes
    ----------
    band, year : str, int
        Where.
    villages, schools : tuple of str
        Codes: these villages may go to these schools alone.
    students, places : int
        How many there are of each.
    proved : bool
        Whether it is certain that there is no plan.
    said : tuple of str
        The witness in Chinese and in English.
    changes : tuple of (str, str)
        Single changes, each of which was solved again and gave a plan of the band in all years, in
        both languages.
    also : tuple of (str, str)
        Witnesses of other bands that have no plan either, whatever is changed in this one.
    """

    band: str
    year: int
    villages: tuple[str, ...]
    schools: tuple[str, ...]
    students: int
    places: int
    proved: bool
    said: Said
    changes: tuple[Said, ...]
    also: tuple[Said, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return it as plain values.

        Returns
        -------
        dict
            For a JSON file.
        """
        return {
            "band": self.band,
            "year": self.year,
            "villages": list(self.villages),
            "schools": list(self.schools),
            "students": self.students,
            "places": self.places,
            "proved": self.proved,
            "zh": self.said[0],
            "en": self.said[1],
            "changes": [{"zh": zh, "en": en} for zh, en in self.changes],
            "also": [{"zh": zh, "en": en} for zh, en in self.also],
        }


class ImpossibleError(InfeasibleError):
    """A recipe asks what no plan can give; ``why`` holds witness and changes.

    Parameters
    ----------
    why : Impossible
        Witness and changes.
    """

    def __init__(self, why: Impossible) -> None:
        self.why = why
        zh = [f"{why.year} 年 {why.band}：{why.said[0]}"]
        en = [f"{why.year} {why.band}: {why.said[1]}"]
        if why.changes:
            # no change of one band mends another
            for_zh, for_en = ("就本学段而言，", "for this band, ") if why.also else ("", "")
            zh.append(
                f"{for_zh}下列任一单项改动即可（已逐项重新求解）："
                + "；".join(z for z, _ in why.changes)
            )
            en.append(
                f"{for_en}any one of these changes makes it possible (each was solved again): "
                + "; ".join(e for _, e in why.changes)
            )
        else:
            zh.append("没有找到单项改动即可的办法")
            en.append("no single change was found that makes it possible")
        if why.also:
            zh.append("其他学段也没有方案，须另行改动：" + "；".join(z for z, _ in why.also))
            en.append(
                "other bands have no plan either and need a change of their own: "
                + "; ".join(e for _, e in why.also)
            )
        super().__init__("。".join(zh) + " / " + ". ".join(en))


def impossible(
    problem: Problem,
    region: Region,
    wishes: Wishes,
    witness: Witness,
    *,
    start: int = 0,
    seed: int = 0,
) -> Impossible:
    """Put a witness into names and look for the smallest single changes that make a plan possible.

    Parameters
    ----------
    problem : Problem
        The question.
    region : Region
        The county.
    wishes : Wishes
        What was asked.
    witness : Witness
        Why there is no plan.
    start : int
        Position of the first year in which the wishes hold; a change must do for the band in all
        years from it on.
    seed : int
        Seed of the searches.

    Returns
    -------
    Impossible
        Witness and changes.
    """
    names = names_of_sites(region)
    search = _Search(problem, wishes, witness, names, _village_names(region), seed, start)
    changes = [
        *search.larger(), *search.farther(), *search.lifted(), *search.smaller(), *search.dropped()
    ]  # fmt: skip
    return Impossible(
        band=problem.bands[witness.band],
        year=problem.years[witness.year],
        villages=tuple(problem.village_ids[int(problem.group_village[i])] for i in witness.groups),
        schools=tuple(problem.site_ids[j] for j in witness.sites),
        students=witness.students,
        places=witness.places,
        proved=witness.proved,
        said=said_of(witness, search.site, search.village),
        changes=tuple(changes),
        also=tuple(search.elsewhere()),
    )


def _village_names(region: Region) -> dict[str, str]:
    table = region.villages
    return dict(zip(table["village_id"].astype(str), table["name"].astype(str), strict=True))


class _Search:
    """Single changes of one band and year, each tried by solving again."""

    def __init__(
        self,
        problem: Problem,
        wishes: Wishes,
        witness: Witness,
        names: dict[str, str],
        villages: dict[str, str],
        seed: int,
        start: int,
    ) -> None:
        self.start = start
        self.problem, self.wishes, self.witness = problem, wishes, witness
        self.names, self.villages, self.seed = names, villages, seed
        self.left = SEARCHES

    def site(self, j: int) -> str:
        code = self.problem.site_ids[j]
        return self.names.get(code, code)

    def village(self, i: int) -> str:
        code = self.problem.village_ids[int(self.problem.group_village[i])]
        return self.villages.get(code, code)

    def fits(self, wishes: Wishes, problem: Problem | None = None) -> bool:
        if self.left <= 0:
            return False
        self.left -= 1
        at = self.witness
        # the year that failed first; then the others from the start of the method on
        years = [at.year, *(t for t in range(self.start, len(self.problem.years)) if t != at.year)]
        return all(
            refused(problem or self.problem, wishes, at.band, t, effort=0.2, seed=self.seed) is None
            for t in years
        )

    def elsewhere(self) -> list[Said]:
        """Witnesses of the other bands that have no plan, the first year of each."""
        out: list[Said] = []
        for band, name in enumerate(self.problem.bands):
            if band == self.witness.band:
                continue
            for t in range(self.start, len(self.problem.years)):
                found = refused(self.problem, self.wishes, band, t, effort=0.2, seed=self.seed)
                if found is not None:
                    zh, en = said_of(found, self.site, self.village)
                    year = self.problem.years[t]
                    out.append((f"{year} 年 {name}：{zh}", f"{year} {name}: {en}"))
                    break
        return out

    def least_step(self, fits: Callable[[int], bool], last: int) -> int:
        """Smallest whole step up to ``last`` that fits, 0 where none does."""
        if last < 1 or not fits(last):
            return 0
        low, high = 0, last
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fits(middle) else (middle, high)
        return high

    def larger(self) -> list[Said]:
        """Allow more students at one school."""
        most, b = self.wishes.most, self.witness.band
        if most is None:
            return []
        near = set(self.witness.sites)
        sites = [j for j in np.flatnonzero(most[:, b] >= 0).tolist() if j in near or not near]
        total = int(self.problem.demand()[self.problem.group_band == b, self.witness.year].sum())
        out: list[Said] = []
        for j in sites:

            def fits(step: int, j: int = j) -> bool:
                changed = most.copy()
                changed[j, b] += step
                return self.fits(self.wishes.replace(most=changed))

            step = self.least_step(fits, max(total - int(most[j, b]), 0))
            if step:
                now, then = int(most[j, b]), int(most[j, b]) + step
                out.append(
                    (
                        f"{self.site(j)}该学段上限由 {now} 增至 {then}（增 {step} 个学位）",
                        (
                            f"{self.site(j)} may have {then} in this band instead of {now} "
                            f"({counted(step, 'more place')})"
                        ),
                    )
                )
        return out

    def farther(self) -> list[Said]:
        """Lengthen the limit of the band's daily trip."""
        strict, b, t = self.wishes.strict, self.witness.band, self.witness.year
        if strict is None or not strict[b]:
            return []
        problem = self.problem
        members = np.flatnonzero(problem.group_band == b)
        minutes = problem.minutes[int(problem.network[t]), members]
        minutes = minutes[:, problem.must_open[:, b, t]].astype(np.float64)
        now = float(problem.trip_limit[b])
        last = int(np.ceil(minutes[np.isfinite(minutes)].max(initial=now) - now))

        def fits(step: int) -> bool:
            limit = problem.trip_limit.copy()
            limit[b] = now + step
            return self.fits(self.wishes, problem.replace(trip_limit=limit))

        step = self.least_step(fits, last)
        if not step:
            return []
        return [
            (
                f"该学段单程时限由 {now:g} 分钟放宽到 {now + step:g} 分钟",
                (
                    f"the limit of this band's trip is {counted(now + step, 'minute', form='g')} "
                    f"instead of {now:g}"
                ),
            )
        ]

    def lifted(self) -> list[Said]:
        """One pair of village and school that is no longer barred."""
        barred, b = self.wishes.barred, self.witness.band
        if barred is None:
            return []
        about = set(self.witness.groups)
        pairs = [(i, j) for i, j in np.argwhere(barred).tolist() if self._about(i, about, b)]
        out: list[Said] = []
        for i, j in pairs[:12]:
            changed = barred.copy()
            changed[i, j] = False
            if self.fits(self.wishes.replace(barred=changed)):
                out.append(
                    (
                        f"允许{self.village(i)}去{self.site(j)}",
                        f"{self.village(i)} may go to {self.site(j)}",
                    )
                )
        return out

    def _about(self, i: int, about: set[int], b: int) -> bool:
        return int(self.problem.group_band[i]) == b and (not about or i in about)

    def smaller(self) -> list[Said]:
        """Lower the least size of one school."""
        least, b = self.wishes.least, self.witness.band
        if least is None:
            return []
        out: list[Said] = []
        for j in np.flatnonzero(least[:, b] > 0).tolist():

            def fits(step: int, j: int = j) -> bool:
                changed = least.copy()
                changed[j, b] -= step
                return self.fits(self.wishes.replace(least=changed))

            step = self.least_step(fits, int(least[j, b]))
            if step:
                now, then = int(least[j, b]), int(least[j, b]) - step
                out.append(
                    (
                        f"{self.site(j)}该学段下限由 {now} 降至 {then}",
                        f"{self.site(j)} needs {then} in this band instead of {now}",
                    )
                )
        return out

    def dropped(self) -> list[Said]:
        """One set of villages that need not go together, or apart, or one that is not shared."""
        out: list[Said] = []
        for one in self.wishes.shared:
            if int(self.problem.group_band[one.groups[0]]) != self.witness.band:
                continue
            left = tuple(other for other in self.wishes.shared if other is not one)
            if self.fits(self.wishes.replace(shared=left)):
                named = "、".join(self.village(i) for i in one.groups[:5])
                out.append((f"{named}不再多校划片", f"{named} is no longer shared"))
        for key, zh, en in (
            ("together", "不再要求{}同校", "{} need not go together"),
            ("apart", "不再要求{}分校", "{} need not be kept apart"),
        ):
            sets = getattr(self.wishes, key)
            for each in sets:
                if int(self.problem.group_band[each[0]]) != self.witness.band:
                    continue
                rest = tuple(other for other in sets if other is not each)
                if self.fits(self.wishes.replace(**{key: rest})):
                    named = "、".join(self.village(i) for i in each[:5])
                    out.append((zh.format(named), en.format(named)))
        return out
