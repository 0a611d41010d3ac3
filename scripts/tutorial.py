"""Write docs/tutorial.md from its template and from what the commands in it have written.

``python scripts/tutorial.py --record FOLDER RUN`` takes the tables of a proposal (and of the run of
today's arrangement) into docs/tutorial first; without it the recorded tables are used.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import shutil
import tomllib
from collections import Counter
from pathlib import Path

from catchment.views.proposal_book import said_of

HERE = Path(__file__).resolve().parents[1] / "docs" / "tutorial"
TABLES = (
    "plans.csv", "actions.csv", "hearing.csv", "villages.csv", "outlook.csv", "futures.csv",
    "certain.csv", "costs.csv", "broken.csv", "proposal.toml",
)  # fmt: skip
Row = dict[str, str]


def rows(name: str) -> list[Row]:
    """Read a recorded table."""
    path = HERE / name
    text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    return list(csv.DictReader(text.splitlines()))


def wan(yuan: str | float) -> str:
    """Yuan in units of ten thousand."""
    value = float(yuan or "nan")
    return "–" if math.isnan(value) else f"{value / 1e4:,.0f}"


def table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(line) + " |" for line in body)])


def number(text: str, form: str = ".1f") -> str:
    """Return a figure, or a dash where there is none."""
    return f"{float(text):{form}}" if text not in ("", "nan") else "–"


def built() -> str:
    """Return what the cheapest plan builds, over all years."""
    recipe = tomllib.loads((HERE / "proposal.toml").read_text(encoding="utf-8"))
    words = {
        "rooms": "间教室",
        "beds": "个床位",
        "dining_seats": "个餐位",
        "nap_places": "个午休位",
    }
    added = {k: sum(a.get(k) or 0 for a in recipe["action"]) for k in words}
    return "、".join(f"{n} {words[k]}" for k, n in added.items() if n)


def values() -> dict[str, str]:
    """Everything that the template names."""
    plans, actions, hearing = rows("plans.csv"), rows("actions.csv"), rows("hearing.csv")
    villages, outlook, futures = rows("villages.csv"), rows("outlook.csv"), rows("futures.csv")
    findings, certain = rows("today.csv"), rows("certain.csv")
    keep, best = plans[0], plans[1]
    kinds = Counter(a["do"] for a in actions)
    worse = [v for v in villages if v["worse"] == "true"]
    better = [v for v in villages if v["boards"] == "false" and float(v["minutes_more"] or 0) < 0]
    closing = [a for a in actions if a["do"] in ("merge", "downgrade")]
    # A school may become a teaching point first and close later: it is one school.
    closed = {a["school"] for a in closing if a["do"] == "merge"}
    reduced = {a["school"] for a in closing} - closed
    blocked = [a for a in closing if a["earlier_breaks"]]
    limited = [a for a in closing if a["earlier_limits"]]
    robust = next(o for o in outlook if o["robust"] == "true")
    stays = next(
        h
        for h in hearing
        if not h["in_plan"].startswith("merge") and float(h["close_yuan"] or "nan") > 0
    )
    hearing = [h for h in hearing if h.get("how", "anew") == "anew"]
    priced = [h for h in hearing if number(h["keep_yuan"]) != "inf"]
    return {
        "years": "2026–2035",
        "findings": table(
            ("规则", "要求", "不合格处数"),
            [(f["code"], f["title_zh"], f["failing"]) for f in findings],
        ),
        "schools_today": keep["schools"],
        "small_today": keep["small_kept"],
        "teachers_today": number(keep["teachers"]),
        "trip_today": number(keep["mean_trip"]),
        "plans": table(
            ("方案", "要求", "费用 万元", "下界 万元", "差距", "教师", "平均单程 分", "最长 分", "末年学校", "保留的小规模学校", "新违反的强制规则"),
            [
                (
                    p["plan"], p["name"].split(" / ")[0], wan(p["yuan"]),
                    # Where minutes weigh more, the bound is none of yuan as the county counts them.
                    wan(p["bound"]) if abs(float(p["yuan"]) - float(p["objective"])) < 1 else "加权",
                    "–" if p["gap"] in ("", "nan") else f"{float(p['gap']):.1%}",
                    number(p["teachers"]), number(p["mean_trip"]), number(p["worst_trip"]),
                    p["schools"], p["small_kept"], p["hard_rules_broken"],
                )
                for p in plans
            ],
        ),
        "count_plans": str(len(plans)),
        "broken_all": str(sum(int(p["hard_rules_broken"]) for p in plans)),
        "built_all": built(),
        "across": str(sum(v["across"] == "true" for v in villages)),
        "good_plans": str(sum(
            p["dominated"] == "false" and not p["name"].startswith("小班化") for p in plans
        )),
        "saved": wan(-float(best["more_yuan"])),
        "gap": f"{float(best['gap']):.1%}",
        "schools_plan": best["schools"],
        "teachers_plan": number(best["teachers"]),
        "trip_plan": number(best["mean_trip"]),
        "merges": str(len(closed)),
        "downgrades": str(len(reduced)),
        "expands": str(kinds["expand"]),
        "first_reasons": "\n".join(f"- {a['reason_zh']}" for a in closing[:3]),
        "first_built": next((a["build_first"] for a in closing if a["build_first"]), "–"),
        "blocked": str(len(blocked)),
        "closings": str(len(closing)),
        "limited": str(len(limited)),
        "limited_example": f"{limited[-1]['name']}：{limited[-1]['earlier_limits']}" if limited else "–",
        "villages_moved": str(len({v["village_id"] for v in villages})),
        "villages_worse": str(len({v["village_id"] for v in worse})),
        "villages_boarding": str(sum(v["boards"] == "true" for v in villages)),
        "villages_better": str(len({v["village_id"] for v in better})),
        "worst_village": villages[0]["village"],
        "worst_from": villages[0]["from_name"],
        "worst_to": villages[0]["to_name"],
        "worst_before": number(villages[0]["minutes_before"]),
        "worst_after": number(villages[0]["minutes_after"]),
        "hearing": table(
            ("学校", "今年人数", "方案", "保留多花 万元", "保留多用教师", "撤并多花 万元", "撤并后多走10分钟以上的村", "撤并后最长单程"),
            [
                (
                    h["name"], h["students_today"], said_of(h["in_plan"], "zh", coded=True), wan(h["keep_yuan"]),
                    number(h["keep_teachers"]), wan(h["close_yuan"]), h["close_villages"],
                    number(h["close_longest"]),
                )
                for h in priced
            ],
        ),
        "count_priced": str(len(hearing)),
        "stays": stays["name"],
        "stays_close": wan(stays["close_yuan"]),
        "draws": outlook[0]["draws"],
        "outlook": table(
            ("方案", "要求", "平均费用 万元", "最大遗憾 万元", "缺教室的抽样"),
            [
                (o["plan"], o["name"].split(" / ")[0], wan(o["yuan_mean"]), wan(o["regret_most"]),
                 f"{float(o['short_share']):.0%}")
                for o in outlook
            ],
        ),
        "robust": f"{robust['plan']}（{robust['name'].split(' / ')[0]}）",
        "certain": str(len(certain)),
        "certain_first": "、".join(c["name"] for c in certain[:5]),
        "changed_share": f"{len(closed | reduced) / int(keep['schools']):.0%}",
        "extra_trip": f"{float(best['mean_trip']) - float(keep['mean_trip']):+.1f}",
        "worst_least": number(str(min(float(p["worst_trip"]) for p in plans))),
        "worst_most": number(str(max(float(p["worst_trip"]) for p in plans))),
        "worst_over": str(sum(float(p["worst_trip"]) > 40 for p in plans)),
        "stages": str(len(closing) - len(closed | reduced)),
        "worst_today": number(keep["worst_trip"]),
        "few": str(sum(f["year_few"] != "0" for f in futures)),
        "short": str(sum(f["year_short"] != "0" for f in futures)),
    }  # fmt: skip


def rendered() -> str:
    """Return the tutorial."""
    text = (HERE / "tutorial.md.in").read_text(encoding="utf-8")
    for name, value in values().items():
        text = text.replace("{{" + name + "}}", value)
    return text


def record(folder: Path, run: Path) -> None:
    """Take the tables of a proposal and the findings of a run into docs/tutorial."""
    for name in TABLES:
        # A proposal has no table of what there is none of.
        (HERE / name).unlink(missing_ok=True)
        if (folder / name).is_file():
            shutil.copyfile(folder / name, HERE / name)
    # The county is where it is from here, wherever the proposal was written.
    recipe = HERE / "proposal.toml"
    text = recipe.read_text(encoding="utf-8")
    text = re.sub(
        r'^region = ".*"$', 'region = "../../data/demo"', text, count=1, flags=re.MULTILINE
    )
    recipe.write_text(text, encoding="utf-8")
    with (run / "findings.csv").open(encoding="utf-8-sig", newline="") as file:
        found = [r for r in csv.DictReader(file) if r["result"] == "fail" and r["year"] == "2026"]
    count = Counter((r["code"], r["title_zh"]) for r in found)
    lines = ["code,title_zh,failing", *(f'{c},"{t}",{n}' for (c, t), n in sorted(count.items()))]
    (HERE / "today.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Record if asked, then write the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", nargs=2, type=Path, metavar=("PROPOSAL", "RUN"))
    options = parser.parse_args()
    if options.record:
        record(*options.record)
    (HERE.parent / "tutorial.md").write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    main()
