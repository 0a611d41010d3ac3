"""Who goes to school in a neighbouring county, settled for all counties of a batch at once.

Read from what the counties' tasks have written (:mod:`catchment.batch.offers`), so that it does not
matter where and in which order they were computed.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from catchment.batch.exchange import read_exchange
from catchment.batch.left import CATCHMENTS, LEFT, left_behind
from catchment.batch.offers import SEATS, WAYS
from catchment.batch.seating import seat_guests
from catchment.errors import CatchmentError
from catchment.verify import demand_sound
from catchment.verify.guests import Crossing, Host, Party, Seated, check_guests, check_left

GUESTS = (
    "recipe", "year", "county", "township", "village_id", "village", "band", "need", "students",
    "grades", "minutes_home", "school_home", "host_county", "school_id", "school", "minutes", "mode",
    "reason",
)  # fmt: skip
HOSTS = (
    "recipe", "year", "county", "school_id", "school", "rooms", "students_own", "guests",
    "classes_own", "classes", "lon", "lat",
)  # fmt: skip
COUNTIES = (
    "recipe", "year", "county", "students_in", "served_home", "served_abroad", "unserved",
    "rejected", "guests", "over_limit_before", "over_limit_after",
)  # fmt: skip
NO_SEAT = "邻县无空余教室 / no room beyond the border"
NO_SCHOOL = "邻县方案中没有可接收的学校 / no school beyond the border can take them in its plan"
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Guests:
    """What was settled, for every recipe and year.

    Attributes
    ----------
    guests : DataFrame
        :data:`GUESTS`: every village-band with a way abroad; ``school`` is empty and ``reason``
        says why where no school takes it in.
    hosts : DataFrame
        :data:`HOSTS`: schools that take guests in, with their classes before and after.
    counties : DataFrame
        :data:`COUNTIES`: every county's students, each counted once.
    left : DataFrame
        :data:`catchment.batch.left.LEFT`: every catchment that some leave, its pieces before and
        after, and the villages cut off from the rest.
    proofs : DataFrame
        ``recipe, year, measure, value, bound``: what was reached and what cannot be bettered.
    """

    guests: pd.DataFrame
    hosts: pd.DataFrame
    counties: pd.DataFrame
    left: pd.DataFrame
    proofs: pd.DataFrame


def settle_guests(folders: list[tuple[str, Path]]) -> Guests | None:
    """Settle who is taken in where.

    Parameters
    ----------
    folders : list of (str, Path)
        Names (``county/recipe``) and folders of the tasks that are done.

    Returns
    -------
    Guests or None
        None where no task has looked across its border.

    Raises
    ------
    CatchmentError
        Where the answer fails the independent check or students are not conserved, which would be
        a fault of the program.
    """
    asked = [(name, folder) for name, folder in folders if (folder / "ways.parquet").is_file()]
    if not asked:
        return None
    guests: list[dict[str, Any]] = []
    hosts: list[dict[str, Any]] = []
    left: list[dict[str, Any]] = []
    proofs: list[tuple[Any, ...]] = []
    for recipe in sorted({name.split("/")[-1] for name, _ in asked}):
        mine = [folder for name, folder in asked if name.split("/")[-1] == recipe]
        ways = pd.concat([read_exchange(f / "ways.parquet", WAYS) for f in mine], ignore_index=True)
        seats = pd.concat(
            [read_exchange(f / "seats.parquet", SEATS) for f in mine], ignore_index=True
        )
        whole = pd.concat([read_exchange(f / "catchments.parquet", CATCHMENTS) for f in mine])
        before: dict[_Key, tuple[str, str]] = {}
        for year in sorted(ways["year"].unique(), key=int):
            of_year = _Year(recipe, int(year), ways[ways["year"] == year], seats)
            crossing = of_year.crossing(before)
            seated = seat_guests(crossing)
            demand_sound(check_guests(crossing, seated, int(year)))
            told = of_year.guests(crossing, seated)
            guests += told
            for row, catchment, said in left_behind(whole[whole["year"] == year], told):
                demand_sound(check_left(catchment, said, int(year)))
                left.append({"recipe": recipe, "year": int(year), **row})
            hosts += of_year.hosts(crossing, seated)
            proofs += [
                (recipe, int(year), *row)
                for row in zip(_MEASURES, seated.worth, seated.bound, strict=True)
            ]
            before = {
                (p.county, p.village, p.band): (crossing.hosts[h].county, crossing.hosts[h].site)
                for p, h in zip(crossing.parties, seated.host_of, strict=True)
                if h >= 0
            }
    table = pd.DataFrame(guests, columns=list(GUESTS))
    return Guests(
        table,
        pd.DataFrame(hosts, columns=list(HOSTS)),
        _counties(asked, table),
        pd.DataFrame(left, columns=list(LEFT)),
        pd.DataFrame(proofs, columns=["recipe", "year", "measure", "value", "bound"]),
    )


_MEASURES = ("unserved_seated", "over_limit_seated", "staying", "student_milliminutes")


class _Year:
    """Ways and seats of one recipe and year."""

    def __init__(self, recipe: str, year: int, ways: pd.DataFrame, seats: pd.DataFrame) -> None:
        self._recipe, self._year = recipe, year
        self._ways = _rows(ways)
        self._seats = _rows(seats[seats["year"] == str(year)])

    def crossing(self, before: dict[_Key, tuple[str, str]]) -> Crossing:
        """Pose the question."""
        parties: dict[_Key, Party] = {}
        for row in self._ways:
            key = _key(row)
            pairs = [pair.split(":") for pair in row["grades"].split()]
            parties[key] = Party(
                *key,
                unserved=row["need"] == "unserved",
                grades=tuple((int(g), int(n)) for g, n in pairs),
                limit=float(row["limit"]),
            )
        wanted = {(row["neighbour"], row["school_id"]) for row in self._ways}
        grades: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
        rooms: dict[tuple[str, str], int] = {}
        for row in self._seats:
            at = row["county"], row["site_id"]
            if at in wanted:
                grades[at].append((int(row["grade"]), int(row["students"]), int(row["size"])))
                rooms[at] = int(row["rooms"])
        hosts = {at: Host(*at, rooms[at], tuple(sorted(grades[at]))) for at in sorted(grades)}
        party = {key: p for p, key in enumerate(sorted(parties))}
        host = {at: h for h, at in enumerate(hosts)}
        ways = sorted(
            (party[_key(row)], host[at], float(row["minutes"]))
            for row in self._ways
            for at in [(row["neighbour"], row["school_id"])]
            if at in host
        )
        return Crossing(
            tuple(parties[key] for key in party),
            tuple(hosts.values()),
            tuple(ways),
            tuple(host.get(before.get(key, ("", "")), -1) for key in party),
        )

    def guests(self, crossing: Crossing, seated: Seated) -> list[dict[str, Any]]:
        """Tell of every party where it goes, or why nowhere."""
        asked = {p for p, _, _ in crossing.ways}
        facts = {_key(row): row for row in self._ways}
        way = {(_key(r), (r["neighbour"], r["school_id"])): r for r in self._ways}
        rows = []
        for p, party in enumerate(crossing.parties):
            key = party.county, party.village, party.band
            told = facts[key]
            kept = ("county", "township", "village_id", "village", "band", "need", "students",
                    "grades", "minutes_home", "school_home")  # fmt: skip
            row: dict[str, Any] = {"recipe": self._recipe, "year": self._year}
            row |= {name: told[name] for name in kept} | {"students": int(told["students"])}
            h = seated.host_of[p]
            if h < 0:
                row |= dict.fromkeys(("host_county", "school_id", "school", "minutes", "mode"), "")
                row["reason"] = NO_SEAT if p in asked else NO_SCHOOL
            else:
                host = crossing.hosts[h]
                there = way[key, (host.county, host.site)]
                row |= {
                    "host_county": host.county,
                    "school_id": host.site,
                    "school": there["school"],
                    "minutes": there["minutes"],
                    "mode": there["mode"],
                    "reason": "",
                }
            rows.append(row)
        return rows

    def hosts(self, crossing: Crossing, seated: Seated) -> list[dict[str, Any]]:
        """Tell of every school that takes guests in its classes before and after."""
        named = {(r["county"], r["site_id"]): r for r in self._seats}
        rows = []
        here: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for party, at in zip(crossing.parties, seated.host_of, strict=True):
            for grade, number in party.grades if at >= 0 else ():
                here[at][grade] += number
        for h, host in enumerate(crossing.hosts):
            coming = here[h]
            if not coming:
                continue
            own = sum(math.ceil(s / size) for _, s, size in host.grades)
            after = sum(math.ceil((s + coming[g]) / size) for g, s, size in host.grades)
            seat = named[host.county, host.site]
            rows.append(
                {
                    "recipe": self._recipe,
                    "year": self._year,
                    "county": host.county,
                    "school_id": host.site,
                    "school": seat["site"],
                    "rooms": host.rooms,
                    "students_own": sum(s for _, s, _ in host.grades),
                    "guests": sum(coming.values()),
                    "classes_own": own,
                    "classes": after,
                    "lon": seat["lon"],
                    "lat": seat["lat"],
                }
            )
        return rows


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _key(row: dict[str, Any]) -> _Key:
    return row["county"], row["village_id"], row["band"]


def _counties(asked: list[tuple[str, Path]], guests: pd.DataFrame) -> pd.DataFrame:
    """Every county's students, those taken in elsewhere counted there alone."""
    seated = guests[guests["school_id"] != ""]
    rows = []
    for name, folder in asked:
        county, recipe = name.split("/")[0], name.split("/")[-1]
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        over = _over_limit(folder)
        for each in record["conservation"]:
            year = int(each["year"])
            now = seated[(seated["recipe"] == recipe) & (seated["year"] == year)]
            away = now[now["county"] == county]
            abroad = int(away["students"].sum())
            late = int(away.loc[away["need"] == "over_limit", "students"].sum())
            row: dict[str, Any] = {
                "recipe": recipe,
                "year": year,
                "county": county,
                "students_in": int(each["students_in"]),
                "served_home": int(each["served"]) - late,
                "served_abroad": abroad,
                "unserved": int(each["unserved"]) - (abroad - late),
                "rejected": int(each["rejected"]),
                "guests": int(now.loc[now["host_county"] == county, "students"].sum()),
                "over_limit_before": over.get(year, 0),
                "over_limit_after": over.get(year, 0) - late,
            }
            kinds = ("served_home", "served_abroad", "unserved", "rejected")
            if row["students_in"] != sum(row[k] for k in kinds) or row["unserved"] < 0:
                raise CatchmentError(
                    f"{name} {year}: 学生数不守恒 / students are not conserved: {row}"
                )
            rows.append(row)
    table = pd.DataFrame(rows, columns=list(COUNTIES))
    if int(table["served_abroad"].sum()) != int(table["guests"].sum()):
        raise CatchmentError("跨县就读学生数不守恒 / students across borders are not conserved")
    order = ["recipe", "year", "county"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _over_limit(folder: Path) -> dict[int, int]:
    table = pd.read_csv(folder / "indicators.csv", encoding="utf-8-sig", dtype=str)
    mine = table[
        (table["indicator"] == "over_limit_students")
        & (table["scope"] == "county")
        & (table["plan"] == "plan")
    ]
    return {int(y): round(float(v)) for y, v in zip(mine["year"], mine["value"], strict=True)}
