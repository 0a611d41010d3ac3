"""Why a band and year have no plan, in words that a person can check by counting."""

from __future__ import annotations

from collections.abc import Callable

from catchment.english import counted
from catchment.optimise.wishes import Witness

Said = tuple[str, str]
"""The same in Chinese and in English."""

_WORDS: dict[str, Said] = {
    "share": (
        "{who}为多校划片，按所定份额有 {students} 人须去 {where}，而该村不能去那里（不可到达、被禁止或超过时限）",
        (
            "{who} is shared: by the given shares {students} of its students go to {where}, where the "
            "village may not go (out of reach, barred or beyond the limit)"
        ),
    ),
    "least": (
        (
            "{where} 的最小规模合计 {places} 人，而能去那里的只有 {who}（{count} 个村，{students} 名学生），少 {lack} 人"
            "（学区须连片，学校所在村在本校学区内）"
        ),
        (
            "{where} must have {places} students together, and only {who} ({villages}, "
            "{heads}) can go there: {lack} too few (catchments lie in one piece, each with "
            "its school's own village)"
        ),
    ),
    "cut": (
        (
            "{who}（{count} 个村，{students} 名学生）与任何可去的学校都连不成片：中间隔着别校所在村或不得去该校的村，"
            "或须与其同校的村去不了"
        ),
        (
            "{who} ({villages}, {heads}) cannot lie in one piece with any school they may go to: own "
            "villages of other schools, or villages that may not go there, lie between, or those that go "
            "together with them may not go there"
        ),
    ),
    "joined": (
        (
            "学区须连片、学校所在村须在本校学区内，{who}（{count} 个村，{students} 名学生）因此只能去 {where}，那里最多 "
            "{places} 人，多出 {lack} 人"
        ),
        (
            "catchments lying in one piece, each with its school's own village, {who} ({villages}, "
            "{heads}) can go only to {where}, which take {places} at most: "
            "{lack} too many"
        ),
    ),
}


def said_of(
    witness: Witness,
    site: Callable[[int], str],
    village: Callable[[int], str],
) -> Said:
    """Put a witness into words.

    Parameters
    ----------
    witness : Witness
        Why there is no plan.
    site, village : callable
        Name of a site, and of the village of a group, by position.

    Returns
    -------
    tuple of str
        In Chinese and in English.
    """
    named = "、".join(village(i) for i in witness.groups[:12])
    named += "等" if len(witness.groups) > 12 else ""
    count = len(witness.groups)
    if witness.kind == "nowhere":
        return (
            (
                f"{named}（{count} 个村，{witness.students} 名学生）没有任何可去的学校：能到达的学校都被禁止或超过"
                "时限"
            ),
            (
                f"{named} ({counted(count, 'village')}, "
                f"{counted(witness.students, 'student')}) may go to no school: all "
                "that they reach are barred or beyond the limit"
            ),
        )
    schools = "、".join(site(j) for j in witness.sites[:12])
    if witness.kind == "places":
        lack = witness.students - witness.places
        return (
            (
                f"{named}（{count} 个村，{witness.students} 名学生）只能去 {schools}，那里最多 {witness.places} 人，"
                f"多出 {lack} 人"
            ),
            (
                f"{named} ({counted(count, 'village')}, "
                f"{counted(witness.students, 'student')}) may go only to {schools}, "
                f"which take {witness.places} at most: {lack} too many"
            ),
        )
    if witness.kind in _WORDS:
        zh, en = _WORDS[witness.kind]
        told = {
            "who": named, "count": count, "students": witness.students, "where": schools,
            "villages": counted(count, "village"), "heads": counted(witness.students, "student"),
            "places": witness.places, "lack": abs(witness.students - witness.places),
        }  # fmt: skip
        return zh.format(**told), en.format(**told)
    sure = ("", "") if witness.proved else ("（限定搜索内）", " within the work of the search")
    return (
        (
            f"{witness.students} 名学生、{witness.places} 个学位：学生总数与学位不矛盾，但各村不拆分、学区连片（学校所在村"
            f"在本校学区内）并满足全部要求的方案不存在{sure[0]}"
        ),
        (
            f"{counted(witness.students, 'student')}, {counted(witness.places, 'place')}: numbers alone "
            "allow it, but no plan "
            "of whole villages and connected catchments, each with its school's own village, does "
            f"all that is asked{sure[1]}"
        ),
    )
