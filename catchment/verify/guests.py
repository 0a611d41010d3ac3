"""Who is taken in beyond a county border, counted again from what the counties told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catchment.verify.faults import Fault


@dataclass(frozen=True)
class Party:
    """Students of one village and band in one year who need a school beyond the border.

    Attributes
    ----------
    county, village, band : str
        Who.
    unserved : bool
        Whether they have no school at home; else their way there is over the limit.
    grades : tuple of (int, int)
        Students by grade, both 1 or more.
    limit : float
        Minutes that a daily trip may take.
    """

    county: str
    village: str
    band: str
    unserved: bool
    grades: tuple[tuple[int, int], ...]
    limit: float

    def students(self) -> int:
        """Count them.

        Returns
        -------
        int
            Students of all grades.
        """
        return sum(n for _, n in self.grades)


@dataclass(frozen=True)
class Host:
    """A school that may take guests in, its own students seated.

    Attributes
    ----------
    county, site : str
        Which.
    rooms : int
        Classrooms.
    grades : tuple of (int, int, int)
        Grade, own students, class size; of the grades it teaches.
    """

    county: str
    site: str
    rooms: int
    grades: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Crossing:
    """The question of one year.

    Attributes
    ----------
    parties : tuple of Party
        Who asks.
    hosts : tuple of Host
        Who may be asked.
    ways : tuple of (int, int, float)
        Party, host, one-way minutes over the joined roads.
    before : tuple of int
        Host of each party in the year before, -1 for none.
    """

    parties: tuple[Party, ...]
    hosts: tuple[Host, ...]
    ways: tuple[tuple[int, int, float], ...]
    before: tuple[int, ...]


@dataclass(frozen=True)
class Seated:
    """The answer: who goes where, and what is proved of it.

    Attributes
    ----------
    host_of : tuple of int
        Host of each party, -1 = stays with what home has.
    worth : tuple of int
        Unserved students seated, students over the limit seated, students who stay where they were
        the year before, and thousandths of minutes of all seated: the first three as many as can
        be, in this order, then the last as few.
    bound : tuple of int
        What no answer can better, given those before it; equal to ``worth`` where proved.
    """

    host_of: tuple[int, ...]
    worth: tuple[int, int, int, int]
    bound: tuple[int, int, int, int]

    def proved(self) -> bool:
        """Say whether no better answer exists.

        Returns
        -------
        bool
            Whether every bound is met.
        """
        return self.worth == self.bound


@dataclass(frozen=True)
class Catchment:
    """Villages of one school and band in one year, before anybody leaves.

    Attributes
    ----------
    site, band : str
        Which.
    touching : tuple of tuple of int
        Positions of the villages that each village touches.
    home : int
        Position of the village the school stands in; -1 where it belongs to another catchment.
    """

    site: str
    band: str
    touching: tuple[tuple[int, ...], ...]
    home: int


@dataclass(frozen=True)
class Left:
    """What is said of a catchment that some have left.

    Attributes
    ----------
    leaving : tuple of int
        Positions of the villages that go to school abroad.
    pieces_before, pieces_after : int
        Into how many pieces its villages fall with and without them.
    cut_off : tuple of int
        Villages that stay and no longer hold together with the main piece, though they did: the
        piece of the school's own village, else the largest, of equals that of the first village.
    """

    leaving: tuple[int, ...]
    pieces_before: int
    pieces_after: int
    cut_off: tuple[int, ...]


def check_left(catchment: Catchment, left: Left, year: int) -> tuple[Fault, ...]:
    """Check again whether what is left of a catchment holds together.

    Parameters
    ----------
    catchment : Catchment
        Its villages.
    left : Left
        What is said.
    year : int
        The school year, for words.

    Returns
    -------
    tuple of Fault
        What does not hold.
    """
    everyone = set(range(len(catchment.touching)))
    gone = set(left.leaving)
    where = (year, catchment.site, "", catchment.band)
    if not gone <= everyone:
        return (Fault("unknown_leaver", *where, found=str(sorted(gone - everyone))),)
    before, after = (_parts_of(catchment, who) for who in (everyone, everyone - gone))
    faults = []
    said, counted = (left.pieces_before, left.pieces_after), (len(before), len(after))
    if said != counted:
        faults.append(Fault("pieces_left", *where, found=str(said), expected=str(counted)))
    together = _main_of(before, catchment.home) - gone
    lost = tuple(sorted(together - _main_of(after, catchment.home)))
    if tuple(sorted(left.cut_off)) != lost:
        faults.append(Fault("cut_off", *where, found=str(left.cut_off), expected=str(lost)))
    return tuple(faults)


def _parts_of(catchment: Catchment, who: set[int]) -> list[set[int]]:
    parts: list[set[int]] = []
    for first in sorted(who):
        if any(first in part for part in parts):
            continue
        part, queue = {first}, [first]
        while queue:
            for u in catchment.touching[queue.pop()]:
                if u in who and u not in part:
                    part.add(u)
                    queue.append(u)
        parts.append(part)
    return parts


def _main_of(parts: list[set[int]], home: int) -> set[int]:
    best: set[int] = set()
    for part in parts:
        if home in part:
            return part
        if len(part) > len(best):
            best = part
    return best


def check_guests(crossing: Crossing, seated: Seated, year: int) -> tuple[Fault, ...]:
    """Check again, in whole numbers, who was taken in where.

    Parameters
    ----------
    crossing : Crossing
        The question.
    seated : Seated
        The answer.
    year : int
        The school year, for words.

    Returns
    -------
    tuple of Fault
        What does not hold; empty for a sound answer.
    """
    parties, hosts = crossing.parties, crossing.hosts
    if len(seated.host_of) != len(parties):
        return (Fault("shape", year, what=f"host_of {len(seated.host_of)} ≠ {len(parties)}"),)
    faults = list(_ways(crossing, seated, year))
    guests: list[list[Party]] = [[] for _ in hosts]
    for party, at in zip(parties, seated.host_of, strict=True):
        if 0 <= at < len(hosts):
            guests[at].append(party)
    for host, coming in zip(hosts, guests, strict=True):
        if coming:
            faults.extend(_seats(host, coming, year))
    known = all(-1 <= h < len(hosts) for h in seated.host_of)
    if known and not any(f.code == "no_way" for f in faults):
        worth = worth_of(crossing, seated.host_of)
        if worth != seated.worth:
            faults.append(Fault("objective", year, found=str(seated.worth), expected=str(worth)))
        if _beaten(seated.worth, seated.bound):
            faults.append(Fault("bound", year, found=str(seated.bound), expected=str(seated.worth)))
    return tuple(faults)


def _ways(crossing: Crossing, seated: Seated, year: int) -> Iterator[Fault]:
    minutes = {(p, h): m for p, h, m in crossing.ways}
    for p, h in enumerate(seated.host_of):
        party = crossing.parties[p]
        if h == -1:
            continue
        if not 0 <= h < len(crossing.hosts):
            yield Fault("unknown_site", year, "", party.village, party.band, found=str(h))
            continue
        host = crossing.hosts[h]
        if host.county == party.county:
            yield Fault("own_county", year, host.site, party.village, party.band)
        if (p, h) not in minutes:
            yield Fault("no_way", year, host.site, party.village, party.band)
        elif minutes[p, h] > party.limit:
            yield Fault(
                "over_limit", year, host.site, party.village, party.band,
                found=f"{minutes[p, h]:g}", expected=f"{party.limit:g}",
            )  # fmt: skip
        taught = {grade for grade, _, _ in host.grades}
        for grade, _ in party.grades:
            if grade not in taught:
                yield Fault("not_taught", year, host.site, party.village, party.band, str(grade))


def _seats(host: Host, guests: Sequence[Party], year: int) -> Iterator[Fault]:
    """Classes of own students and guests together, each of standard size, in the rooms there are."""
    coming: dict[int, int] = {}
    for party in guests:
        for grade, number in party.grades:
            coming[grade] = coming.get(grade, 0) + number
    need = 0
    for grade, own, size in host.grades:
        whole, rest = divmod(own + coming.get(grade, 0), size)
        need += whole + (rest > 0)
    if need > host.rooms:
        yield Fault("guest_rooms", year, host.site, found=str(need), expected=str(host.rooms))


def worth_of(crossing: Crossing, host_of: Sequence[int]) -> tuple[int, int, int, int]:
    """Count what an answer is worth (see :class:`Seated`).

    Parameters
    ----------
    crossing : Crossing
        The question.
    host_of : sequence of int
        Host of each party, -1 for none.

    Returns
    -------
    tuple of int
        Four whole numbers.
    """
    minutes = {(p, h): m for p, h, m in crossing.ways}
    unserved = over = stay = spent = 0
    for p, h in enumerate(host_of):
        if h < 0:
            continue
        students = crossing.parties[p].students()
        if crossing.parties[p].unserved:
            unserved += students
        else:
            over += students
        if crossing.before[p] == h:
            stay += students
        spent += students * round(minutes[p, h] * 1000)
    return unserved, over, stay, spent


def _beaten(worth: tuple[int, int, int, int], bound: tuple[int, int, int, int]) -> bool:
    """Whether the answer is better than what is said to be the best possible."""
    return (*worth[:3], -worth[3]) > (*bound[:3], -bound[3])
