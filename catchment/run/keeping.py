"""What must be said of a price of keeping a school before it is told at a hearing."""

from __future__ import annotations

import math
from collections.abc import Mapping

from catchment.english import counted
from catchment.optimise import consolidation as model
from catchment.run.spoken import spoken

CENT = 0.5
"""Yuan below which a difference of two plans is rounding."""
NAMED = 3
"""Rules named at most that a plan breaks."""


def price_told(yuan: float) -> float:
    """Price as it is told: less than nothing is none; what it means is said beside it.

    Parameters
    ----------
    yuan : float
        What a plan costs more than another.

    Returns
    -------
    float
        0 at least; infinite or nan where nothing is known.
    """
    return max(yuan, 0.0) if math.isfinite(yuan) else yuan


def keeping_told(
    question: model.Question,
    changed: model.Answer,
    site: int,
    yuan: float,
    names: Mapping[str, str],
) -> str:
    """Say why a school that is kept may seem cheap: it breaks a rule that the given plan keeps.

    Parameters
    ----------
    question : Question
        The question of the given plan.
    changed : Answer
        The plan in which the school is kept.
    site : int
        Position of the school.
    yuan : float
        What that plan costs more than the given one.
    names : mapping of str to str
        Names of schools and villages by code.

    Returns
    -------
    str
        A sentence in Chinese and English; empty where the price needs none.
    """
    short, since = model.below_least(question, changed, site)
    wanted = model.demanded(question, site)
    less = f"{-yuan:,.0f}"
    said = []
    if short:
        least = question.limits.min_size
        zh = f"保留违反所定最小规模：{since} 年起不足 {least} 人，最多差 {short} 人；计价时已对该校免去这一条"
        en = (
            f"keeping it breaks the least size: from {since} it is below {least}, by up to "
            f"{counted(short, 'student')}; the price leaves this rule out for it"
        )
        if yuan < -CENT and not wanted:
            zh += f"；免去后反而少花 {less} 元，那是免去这一条得来的，不是保留该校省下的"
            en += (
                f"; without it the plan costs {less} yuan less, which comes of leaving the rule out and "
                "is no saving by keeping the school"
            )
        said.append((zh, en))
    if wanted:
        zh, en = (
            "是方案文件自己的行动让该校撤并、改点或转出；计价时未执行",
            (
                "it is the recipe's own action that closes it, makes it a teaching point or sends its villages "
                "away; the price leaves that out"
            ),
        )
        if yuan < -CENT:
            zh, en = f"{zh}，不这样做少花 {less} 元", f"{en}, which costs {less} yuan less"
        said.append((zh, en))
    if said or yuan >= -CENT:
        return f"{'；'.join(z for z, _ in said)} / {'; '.join(e for _, e in said)}" if said else ""
    broken = model.check(question, changed)
    if not broken:
        return (
            f"保留反而少花 {less} 元：推荐方案还不是最省的，请延长求解时间再算 / keeping it costs {less} yuan "
            "less: the proposed plan is not the cheapest yet, search longer"
        )
    rules = list(dict.fromkeys(spoken(v, names) for v in broken))
    more = len(rules) - NAMED
    zh = "；".join(z for z, _ in rules[:NAMED]) + (f" 等 {len(rules)} 处" if more > 0 else "")
    en = "; ".join(e for _, e in rules[:NAMED]) + (f" and {more} more" if more > 0 else "")
    return (
        f"少花 {less} 元不是节省：只保留这一所而其余不变的布局违反要求：{zh} / {less} yuan less is no saving: "
        f"the plan with this school kept breaks what is asked: {en}"
    )
