"""Place students who are known by their address alone: by village code, then by village name.

Nothing is guessed. An address belongs to a village when, behind its county and township, the name
of exactly one village of that township follows at once; or when it holds the village's code and
names no other place. A house number is no code, 新东村 is not 东村, 南村路 is a road, and the
township of another county is another township. Everything else is listed with the likeliest
candidates and placed nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from catchment.region.schema import plain

# Spellings this alike name one village, provided that no other village comes close.
LIKE, APART, SHOWN = 90.0, 8.0, 3
LONG_CODE = 9
"""A number of so many digits that equals a village's code is no house number."""
_CODE = re.compile(r"(?<![0-9A-Za-z第附\-])[0-9]{3,19}(?![0-9A-Za-z])")
_LABEL = re.compile(r"(?<!邮政)(?:代码|编码|编号|code)[::]?$", re.IGNORECASE)
_HOUSED = re.compile(r"[号室栋组弄幢户楼单院座层排队社门路街巷米元\-#~之]")
_UNIT = r"(?:街道办事处|街道|民族乡|乡|镇|苏木)"
_TOWN = re.compile(_UNIT + "$")
_VILLAGE = re.compile(r"(村民委员会|村委会|居委会|社区居委会|自然村|行政村|村|社区|屯|寨)$")
_NUMBER = r"[0-9一二三四五六七八九十百零〇两]+"
_HOUSE = re.compile(_NUMBER + r"(?:组|社|队|号|户|弄|巷|栋|单元|室|楼|生产队).*$")
# What may stand between a township and its village, and before the county.
_BETWEEN = re.compile(
    r"^(?:人民政府|政府|村委会|居委会|辖区|所属|[,，、。;:()·\-]|"
    r"[\u4e00-\u9fff]{0,6}(?:管理区|管区|片区|办事处))*"
)
_BEFORE = re.compile(
    r"^(?:家庭|家|现|户籍|户口|籍贯|原)*(?:住址|地址|居住地|所在地|住|在|籍)*[::,，、()·\-]*(?:中国)?"
)
_ABOVE = re.compile(r".+?(?:自治区|地区|省|市|州|盟)")
_PARENT = re.compile(r"(?:省|市|州|盟|地区|自治区)$")
_COUNTY = re.compile(r"[\u4e00-\u9fff]+?(?:自治县|自治旗|县|旗|(?<![学片校地山牧林])区|市)")
# Behind a whole name: a road of that name, or a longer name that only begins with it.
_ANOTHER = re.compile(
    r"(?:大街|大道|路|街|巷|胡同|小区|花园|广场|公寓)(?:$|[0-9东西南北中一二三四五六七八九十])"
    r"|[\u4e00-\u9fff](?:村|社区|屯)"
)
# Behind a bare name nothing but a unit, a house number or the end.
_ENDED = re.compile(
    r"$|[,，、。;:()·#\-]|村|社区|居委|自然村|行政村|屯|寨|大队|生产队|组|社|"
    r"[0-9]+(?![0-9]|村)|" + _NUMBER + r"(?:组|社|队|号|户|弄|巷|栋|单元|室|楼|生产队|村民小组)"
)
# One of these more or less makes another village, not another spelling.
_TELLING = frozenset(
    "新老大小上下东西南北前后中左右里外内一二三四五六七八九十甲乙丙丁坝坡沟湾岭坪塘河山庄营堡"
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


def match_addresses(
    addresses: Sequence[str], villages: Sequence[Village], county: str = ""
) -> list[Match]:
    """Match addresses to villages.

    Parameters
    ----------
    addresses : sequence of str
        Addresses as written, with or without county, township, group and house number.
    villages : sequence of Village
        The county's villages.
    county : str
        Name of the county; where it tells none, the county that most addresses name is it.

    Returns
    -------
    list of Match
        One an address, in order.

    Examples
    --------
    >>> places = [Village("001", "东村", "甲镇"), Village("002", "东村", "乙镇")]
    >>> [m.code for m in match_addresses(["甲镇东村3组", "东村3组", "甲镇新东村3组"], places)]
    ['001', '', '']
    """
    known: dict[str, Match] = {}
    index = _Index(villages, _Home(addresses, [v.township for v in villages], county))
    for address in addresses:
        if address not in known:
            known[address] = index.match(address)
    return [known[address] for address in addresses]


class _Home:
    """What may stand before the county's own townships: the county and what it lies in."""

    def __init__(self, addresses: Sequence[str], townships: Sequence[str], county: str) -> None:
        titles = sorted({t for v in townships if (t := _joined(v))}, key=len, reverse=True)
        before = []
        for address in addresses:
            text = _joined(address)
            ends = [at for t in titles if (at := text.find(t)) > 0]
            if ends:
                before.append(_BEFORE.sub("", text[: min(ends)]))
        self._name = _county_in(_joined(county)) or _commonest(before)
        self._short = re.sub(r"(?:自治县|自治旗|县|旗|区|市)$", "", self._name)
        above = {
            b.removesuffix(self._name) for b in before if self._name and b.endswith(self._name)
        }
        self._parents = {text[at.start() :] for text in above for at in _ABOVE.finditer(text)}

    def holds(self, before: str) -> bool:
        """Whether a text that stands before a township or village names this county or nothing."""
        rest = _BEFORE.sub("", before)
        if not rest or rest in self._parents:
            return True
        for name in filter(None, (self._name, self._short)):
            if rest.endswith(name):
                above = rest.removesuffix(name)
                if not above or _PARENT.search(above) or len(name) > 2:
                    return True
                if name == self._short and len(name) > 1:
                    return True
        return False


class _Index:
    """Villages by code, by township and by bare name."""

    def __init__(self, villages: Sequence[Village], home: _Home) -> None:
        self._villages = list(villages)
        self._home = home
        self._codes = {plain(v.code): v for v in villages}
        self._towns: dict[str, list[Village]] = {}
        for village in villages:
            self._towns.setdefault(_joined(village.township), []).append(village)
        self._towns.pop("", None)

    def match(self, address: str) -> Match:
        text = _joined(address)
        if not text:
            return Match("", "unmatched", ())
        towns = self._named_towns(text)
        named = self._by_name(text, towns)
        firm, weak = self._coded(plain(address))
        coded = sorted(firm | weak)
        if not coded:
            return named
        if len(coded) > 1:
            return self._unsure(*coded)
        code = coded[0]
        if named.code:
            return Match(code, "code") if named.code == code else self._unsure(code, named.code)
        inside = not towns or any(code == v.code for _, _, within in towns for v in within)
        start = min((first for first, _, _ in towns), default=0)
        home = self._home.holds(text[:start])
        if inside and home and (code in firm or self._alone(text[start:], code)):
            return Match(code, "code")
        return self._unsure(code)

    def _coded(self, text: str) -> tuple[set[str], set[str]]:
        """Find codes that can be nothing else, and short ones that no house word follows."""
        firm = {
            v.code
            for digits in _CODE.findall(text.replace(" ", ""))
            if len(digits) >= LONG_CODE and (v := self._codes.get(digits))
        }
        weak = set()
        for found in _CODE.finditer(text):
            village = self._codes.get(found[0])
            if village is None or len(found[0]) >= LONG_CODE:
                continue
            if _LABEL.search(text[: found.start()].rstrip()):
                firm.add(village.code)
            elif not _HOUSED.match(text[found.end() :].lstrip()):
                weak.add(village.code)
        return firm, weak - firm

    def _alone(self, text: str, code: str) -> bool:
        """Whether an address holds a short code and no other name than its village's own."""
        village = self._codes[plain(code)]
        rest = text.replace(plain(code), "", 1)
        for own in (_joined(village.township), _joined(village.name), _bare(_joined(village.name))):
            rest = rest.replace(own, "", 1) if own else rest
        return not re.sub(r"[村社区,，、:()\-]", "", _HOUSE.sub("", rest))

    def _unsure(self, *codes: str) -> Match:
        return Match("", "ambiguous", tuple(_shown(self._codes[plain(c)]) for c in codes))

    def _by_name(self, text: str, towns: list[tuple[int, int, list[Village]]]) -> Match:
        if len(towns) == 1:
            start, end, within = towns[0]
            found = self._in_town(within, text[end:])
            if found.code and not self._home.holds(text[:start]):
                return self._unsure(found.code)
            return found
        within = [v for _, _, town in towns for v in town] or self._villages
        exact = [v for v in within if _joined(v.name) in text]
        # Outside a known township a name alone proves nothing: the next county has it too.
        if not towns and not self._towns and (village := self._begun(text, exact)) is not None:
            return Match(village.code, "name")
        if exact:
            return Match("", "ambiguous", tuple(_shown(v) for v in exact[:SHOWN]))
        return Match("", "unmatched", self._near(text, within))

    def _begun(self, text: str, exact: Sequence[Village]) -> Village | None:
        """Find the one village that an address names in a county without townships."""
        if len(exact) != 1:
            return None
        before, _, _ = text.partition(_joined(exact[0].name))
        free = re.sub(r"[^\W省市县旗区州盟]{1,6}" + _UNIT + "$", "", before)
        return (
            exact[0] if self._home.holds(free) and _begins(text[len(before) :], exact[0]) else None
        )

    def _named_towns(self, text: str) -> list[tuple[int, int, list[Village]]]:
        """Townships told in full, else by their bare name at the start: from, to and villages."""
        full = [title for title in self._towns if title in text]
        longest = [t for t in full if not any(t != other and t in other for other in full)]
        if longest:
            return [(text.find(t), text.find(t) + len(t), self._towns[t]) for t in longest]
        bare: dict[str, list[Village]] = {}
        for title, villages in self._towns.items():
            short = _town(title)
            if len(short) > 1 and text.startswith(short):
                bare.setdefault(short, []).extend(villages)
        ends = {short: re.match(_UNIT + "?", text[len(short) :]) for short in bare}
        return [
            (0, len(short) + (unit.end() if (unit := ends[short]) else 0), villages)
            for short, villages in bare.items()
        ]

    def _in_town(self, villages: Sequence[Village], text: str) -> Match:
        rest = _BETWEEN.sub("", text)
        begun = [v for v in villages if _begins(rest, v)]
        told = [v for v in villages if v in begun or _joined(v.name) in rest]
        # 东村 is also part of 东村坝: the longest name told is the one that is meant.
        longest = [v for v in told if not any(_longer(o, v) for o in told)]
        if len({v.code for v in longest}) == 1 and longest[0] in begun:
            return Match(longest[0].code, "name")
        if len({v.code for v in longest}) > 1:
            return Match("", "ambiguous", tuple(_shown(v) for v in longest[:SHOWN]))
        wanted = _bare(_HOUSE.sub("", rest))
        names = [_bare(_joined(v.name)) for v in villages]
        scored = sorted(
            ((fuzz.ratio(wanted, name), k) for k, name in enumerate(names)),
            key=lambda pair: (-pair[0], pair[1]),
        )
        near = tuple(_shown(villages[k]) for _, k in scored[:SHOWN])
        if (
            scored
            and scored[0][0] >= LIKE
            and (len(scored) == 1 or scored[0][0] - scored[1][0] >= APART)
            and not _TELLING & (set(wanted) ^ set(names[scored[0][1]]))
        ):
            return Match(villages[scored[0][1]].code, "name")
        return Match("", "unmatched", near)

    def _near(self, text: str, within: Sequence[Village]) -> tuple[str, ...]:
        names = [_bare(plain(v.name)) for v in within]
        found = process.extract(_HOUSE.sub("", text), names, scorer=fuzz.partial_ratio, limit=SHOWN)
        return tuple(_shown(within[k]) for _, score, k in found if score >= 50.0)


def _joined(text: str) -> str:
    return plain(text).replace(" ", "")


def _county_in(text: str) -> str:
    """County or district that a text names last; empty where it names none."""
    found = _COUNTY.findall(text)
    rural = [name for name in found if name[-1] in "县旗"]
    return str((rural or found or [""])[-1])


def _commonest(before: Sequence[str]) -> str:
    """County that more than half of the addresses name, empty where there is none."""
    named = [name for text in before if (name := _county_in(text))]
    first = max(sorted(set(named)), key=named.count, default="")
    return first if first and 2 * named.count(first) > len(named) else ""


def _town(name: str) -> str:
    bare = plain(name).replace(" ", "")
    return _TOWN.sub("", bare) or bare


def _bare(name: str) -> str:
    short = name.replace(" ", "")
    return _VILLAGE.sub("", short) or short


def _begins(text: str, village: Village) -> bool:
    """Whether a text begins with a village: its name in full, or bare and of two letters or more."""
    full = _joined(village.name)
    bare = _bare(full)
    if full != bare and text.startswith(full):
        return _ANOTHER.match(text, len(full)) is None
    return len(bare) > 1 and text.startswith(bare) and _ENDED.match(text, len(bare)) is not None


def _longer(other: Village, village: Village) -> bool:
    one, two = (plain(v.name).replace(" ", "") for v in (other, village))
    return one != two and two in one


def _shown(village: Village) -> str:
    return f"{village.code} {village.township}{village.name}"
