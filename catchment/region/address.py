"""Place students who are known by their address alone: by village code, then by village name.

Nothing is guessed. An address belongs to a village when it holds the village's code, or when its
township is told and exactly one village of that township is named in it. Everything else is listed
with the likeliest candidates and placed nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from catchment.region.schema import plain

# Spellings this alike name one village, provided that no other village comes close.
LIKE, APART, SHOWN = 90.0, 8.0, 3
_CODE = re.compile(r"(?<![0-9])[0-9]{3,19}(?![0-9])")
_TOWN = re.compile(r"(街道办事处|街道|民族乡|乡|镇|苏木)$")
_VILLAGE = re.compile(r"(村民委员会|村委会|居委会|社区居委会|自然村|行政村|村|社区|屯|寨)$")
_HOUSE = re.compile(
    r"[0-9一二三四五六七八九十百零〇两]+(?:组|社|队|号|户|弄|巷|栋|单元|室|楼|生产队).*$"
)


@dataclass(frozen=True)
class Village:
    """A village as an address may name it.

    Attributes
    ----------
    code, name, township : str
        Its row in the layer of villages.
    """

    code: str
    name: str
    township: str


@dataclass(frozen=True)
class Match:
    """What became of one address.

    Attributes
    ----------
    code : str
        Village, empty where none is certain.
    way : str
        ``code``, ``name``, ``ambiguous`` or ``unmatched``.
    candidates : tuple of str
        Codes and names of the likeliest villages, best first; empty for a certain match.
    """

    code: str
    way: str
    candidates: tuple[str, ...] = ()


def match_addresses(addresses: Sequence[str], villages: Sequence[Village]) -> list[Match]:
    """Match addresses to villages.

    Parameters
    ----------
    addresses : sequence of str
        Addresses as written, with or without county, township, group and house number.
    villages : sequence of Village
        The county's villages.

    Returns
    -------
    list of Match
        One an address, in order.

    Examples
    --------
    >>> places = [Village("001", "东村", "甲镇"), Village("002", "东村", "乙镇")]
    >>> [m.code for m in match_addresses(["甲镇东村3组", "东村3组"], places)]
    ['001', '']
    """
    known: dict[str, Match] = {}
    index = _Index(villages)
    for address in addresses:
        if address not in known:
            known[address] = index.match(address)
    return [known[address] for address in addresses]


class _Index:
    """Villages by code, by township and by bare name."""

    def __init__(self, villages: Sequence[Village]) -> None:
        self._villages = list(villages)
        self._codes = {plain(v.code): v for v in villages}
        self._towns: dict[str, list[Village]] = {}
        for village in villages:
            self._towns.setdefault(_town(village.township), []).append(village)
        self._towns.pop("", None)

    def match(self, address: str) -> Match:
        text = plain(address).replace(" ", "")
        if not text:
            return Match("", "unmatched", ())
        coded = {v.code for c in _CODE.findall(text) if (v := self._codes.get(c))}
        if len(coded) == 1:
            return Match(coded.pop(), "code")
        if coded:
            return Match("", "ambiguous", tuple(self._shown(c) for c in sorted(coded)))
        towns = self._named_towns(text)
        if len(towns) == 1:
            return self._in_town(towns[0], text)
        within = [v for town in towns for v in self._towns[town]] or self._villages
        exact = [v for v in within if _names(text, v)]
        # Outside a known township a name alone proves nothing: the next county has it too.
        if len(exact) == 1 and not towns and not self._towns:
            return Match(exact[0].code, "name")
        if exact:
            return Match("", "ambiguous", tuple(_shown(v) for v in exact[:SHOWN]))
        return Match("", "unmatched", self._near(text, within))

    def _shown(self, code: str) -> str:
        return _shown(self._codes[plain(code)])

    def _named_towns(self, text: str) -> list[str]:
        """Townships told in full, else by their bare name at the start; the longest first."""
        full = [
            town
            for town, villages in self._towns.items()
            if any(plain(v.township).replace(" ", "") in text for v in villages)
        ]
        longest = [t for t in full if not any(t != other and t in other for other in full)]
        return longest or [t for t in self._towns if len(t) > 1 and text.startswith(t)]

    def _in_town(self, town: str, text: str) -> Match:
        villages = self._towns[town]
        title = plain(villages[0].township).replace(" ", "")
        rest = text.split(title, 1)[1] if title in text else text[len(town) :]
        exact = [v for v in villages if _names(rest, v)]
        # 东村 is also part of 东村坝: the longest name told is the one that is meant.
        longest = [v for v in exact if not any(_longer(o, v) for o in exact)]
        if len({v.code for v in longest}) == 1:
            return Match(longest[0].code, "name")
        if longest:
            return Match("", "ambiguous", tuple(_shown(v) for v in longest[:SHOWN]))
        wanted = _bare(_HOUSE.sub("", rest))
        scored = sorted(
            ((fuzz.ratio(wanted, _bare(plain(v.name))), k) for k, v in enumerate(villages)),
            key=lambda pair: (-pair[0], pair[1]),
        )
        near = tuple(_shown(villages[k]) for _, k in scored[:SHOWN])
        if (
            scored
            and scored[0][0] >= LIKE
            and (len(scored) == 1 or scored[0][0] - scored[1][0] >= APART)
        ):
            return Match(villages[scored[0][1]].code, "name")
        return Match("", "unmatched", near)

    def _near(self, text: str, within: Sequence[Village]) -> tuple[str, ...]:
        names = [_bare(plain(v.name)) for v in within]
        found = process.extract(_HOUSE.sub("", text), names, scorer=fuzz.partial_ratio, limit=SHOWN)
        return tuple(_shown(within[k]) for _, score, k in found if score >= 50.0)


def _town(name: str) -> str:
    bare = plain(name).replace(" ", "")
    return _TOWN.sub("", bare) or bare


def _bare(name: str) -> str:
    short = name.replace(" ", "")
    return _VILLAGE.sub("", short) or short


def _names(text: str, village: Village) -> bool:
    """Whether a text tells a village: its name in full, or its bare name of two letters or more."""
    full = plain(village.name).replace(" ", "")
    bare = _bare(full)
    return full in text or (len(bare) > 1 and text.startswith(bare))


def _longer(other: Village, village: Village) -> bool:
    one, two = (plain(v.name).replace(" ", "") for v in (other, village))
    return one != two and two in one


def _shown(village: Village) -> str:
    return f"{village.code} {village.township}{village.name}"
