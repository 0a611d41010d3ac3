from __future__ import annotations

import re
from pathlib import Path

import pytest

from catchment.errors import InputError, NotFoundError
from catchment.places import ClassLimits
from catchment.rules import books
from catchment.rules.clause import Rule

ALL = books.read_books(books.book_names())
POLICY_CODES = (
    *(f"R-TRV-0{k}" for k in range(1, 9)), "R-TRV-06b", "R-TRV-06c",
    "R-BRD-01", "R-BRD-02", "R-BRD-03", "R-SITE-01", "R-SITE-02", "R-SITE-03", "R-SITE-04",
    "R-NEAR-01", "R-TOWN-01", *(f"R-CON-{k:02d}" for k in range(1, 15)), "R-DEF-01", "R-DEF-02",
    *(f"R-CLS-0{k}" for k in range(1, 7)), "R-SIZ-01", "R-SIZ-02", "R-SIZ-03", "R-STF-01",
    "R-STF-02", "R-FIN-01", "R-FIN-02", "R-DOR-01", "R-BLD-01", "R-BLD-02", "R-BLD-03",
    *(f"R-YZ-{k:02d}" for k in range(1, 11)),
)  # fmt: skip


@pytest.mark.parametrize("rule", ALL, ids=lambda r: f"{r.code}-{r.applies_to}")
def test_every_rule_has_citation_and_unit(rule: Rule) -> None:
    assert rule.unit
    assert rule.document_zh
    assert rule.document_en
    assert rule.title_zh
    assert rule.title_en
    assert rule.note_zh == "" or rule.note_en
    assert rule.document_no or rule.year or rule.code == "R-DEF-02"
    for text in (rule.citation("zh"), rule.citation("en"), rule.note_zh, rule.note_en):
        assert not re.search(r"https?:|www\.|\.(com|cn|net|org)\b", text)
    assert ("未核实" in rule.citation("zh")) == (not rule.verified)
    assert ("unverified" in rule.citation("en")) == (not rule.verified)
    assert rule.operator or rule.limit is None


def test_every_policy_rule_has_a_row() -> None:
    assert set(POLICY_CODES) <= {r.code for r in ALL}


def test_clauses_are_unique() -> None:
    keys = [(r.code, r.applies_to, r.quantity, r.operator) for r in ALL]
    assert len(keys) == len(set(keys))


def test_traps_of_the_policy_reference() -> None:
    by = {(r.code, r.applies_to): r for r in ALL}
    forty = next(r for r in ALL if r.code == "R-TRV-02")
    assert forty.severity == "soft"
    assert not forty.verified
    assert "征求意见稿" in forty.document_zh
    for stage in ("primary", "junior"):
        assert by["R-TRV-07", f"stage={stage};urban=111|112|121"].limit in (500, 1000)
    assert by["R-CLS-03", "stage=primary|junior"].limit == 66
    assert by["R-CLS-04", "stage=primary|junior"].limit == 56
    # two documents of 2012 carry number 48; the one cited is that of the General Office
    assert all("国办发" in r.document_no for r in ALL if "〔2012〕48号" in r.document_no)
    assert not any("4%" in r.title_zh for r in ALL)


def test_limits_agree_with_the_national_book() -> None:
    assert books.class_limits(ALL) == ClassLimits()


def county(tmp_path: Path, text: str) -> Path:
    (tmp_path / "rules.csv").write_text(text, encoding="utf-8")
    return tmp_path


def test_county_may_be_stricter_freely(tmp_path: Path) -> None:
    folder = county(tmp_path, "code,applies_to,limit,reason\nR-CLS-01,stage=primary,40,\n")
    rules = books.read_books(["national"], folder)
    assert books.class_limits(rules).primary == 40
    assert not any(r.loosened for r in rules)


def test_county_may_be_looser_only_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"R-TRV-01.*理由"):
        books.read_books(["national"], county(tmp_path, "code,limit,reason\nR-TRV-01,40,\n"))
    rules = books.read_books(
        ["national"], county(tmp_path, "code,limit,reason\nR-TRV-01,40,山区道路改造期间\n")
    )
    changed = next(r for r in rules if r.code == "R-TRV-01")
    assert changed.limit == 40
    assert "山区道路改造期间" in changed.loosened
    assert "30 → 40" in changed.loosened


@pytest.mark.parametrize(
    "reason",
    ["-", "—", "……", "无", "同意", "x", "aaaa", "123456", "。。。", "理由", "N/A", "啊啊啊啊"],
)
def test_a_sign_is_no_reason(tmp_path: Path, reason: str) -> None:
    folder = county(tmp_path, f"code,limit,reason\nR-TRV-01,40,{reason}\n")
    with pytest.raises(InputError, match=r"R-TRV-01.*理由"):
        books.read_books(["national"], folder)


def test_a_reason_in_english_words_will_do(tmp_path: Path) -> None:
    folder = county(tmp_path, "code,limit,reason\nR-TRV-01,40,bridge under repair until 2027\n")
    assert any(r.loosened for r in books.read_books(["national"], folder))


@pytest.mark.parametrize("name", books.book_names())
def test_a_county_can_name_every_clause(name: str) -> None:
    own = list(books.read_books([name]))
    keys = [(r.code, r.applies_to) for r in own]
    assert len(keys) == len(set(keys))


def test_one_of_two_bounds_is_changed_and_the_other_kept(tmp_path: Path) -> None:
    scope = "new;role=complete;urban=rural;item=least"
    folder = county(tmp_path, f"code,applies_to,limit,reason\nR-SIZ-02,{scope},300,\n")
    rules = books.read_books(["national"], folder)
    limits = {
        r.applies_to.rpartition("=")[2]: r.limit for r in rules if "role=complete" in r.applies_to
    }
    assert limits == {"least": 300, "most": 1080}


def test_county_table_in_chinese_and_gb18030(tmp_path: Path) -> None:
    (tmp_path / "rules.csv").write_bytes(
        "规则代码,适用范围,限值,理由\nR-CON-03,closing;item=dining,0.5,分两批就餐\n,,,\n".encode(
            "gb18030"
        )
    )
    rules = books.read_books(["national"], tmp_path)
    changed = next(r for r in rules if r.applies_to == "closing;item=dining")
    assert changed.limit == 0.5
    assert "分两批就餐" in changed.loosened


def test_looser_minimum_needs_a_reason_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="放宽"):
        books.read_books(
            ["national"],
            county(tmp_path, "code,applies_to,limit,reason\nR-CON-03,closing;item=dining,0.5,\n"),
        )


def test_county_sets_a_value_the_nation_leaves_open(tmp_path: Path) -> None:
    rules = books.read_books(["national"], county(tmp_path, "code,limit\nR-TRV-03,3\n"))
    assert next(r for r in rules if r.code == "R-TRV-03").limit == 3


def test_ambiguous_or_unknown_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="多条"):
        books.read_books(["national"], county(tmp_path, "code,limit\nR-CLS-01,40\n"))
    with pytest.raises(InputError, match="适用范围"):
        books.read_books(
            ["national"], county(tmp_path, "code,applies_to,limit\nR-CLS-01,stage=x,40\n")
        )
    with pytest.raises(InputError, match="缺少列"):
        books.read_books(["national"], county(tmp_path, "code,limit\nR-OWN-01,40\n"))
    with pytest.raises(InputError, match="不是数"):
        books.read_books(["national"], county(tmp_path, "code,limit\nR-TRV-01,half\n"))
    with pytest.raises(NotFoundError, match="atlantis"):
        books.read_books(["atlantis"])


def test_presets_are_labelled_with_their_province() -> None:
    for name in books.book_names():
        if name == "national":
            continue
        own = books.read_books([name])[len(books.read_books(["national"])) :]
        assert own
        assert all(r.jurisdiction != "national" for r in own)
        assert all(r.severity in ("soft", "process") for r in own)


def test_evidence_and_resources_are_read_from_the_county_folder(tmp_path: Path) -> None:
    assert books.read_evidence(tmp_path) is None
    assert books.read_resources(tmp_path) is None
    (tmp_path / "evidence.csv").write_bytes(
        "school_id,code,item,date,value,document\n007,R-CON-01,,2026-05-01,12,会议纪要\n".encode(
            "gb18030"
        )
    )
    got = books.read_evidence(tmp_path)
    assert got is not None
    assert got.iloc[0].tolist() == ["007", "R-CON-01", "", "2026-05-01", "12", "会议纪要"]
    head = "school_id,stage,students,kind,teachers_degree,teachers_key,teachers_arts,"
    head += "teaching_area,sports_area,equipment,multimedia_rooms\n"
    path = tmp_path / "resources.csv"
    path.write_text(head + "007,primary,100,,5,1,1,450,,200000,3\n", encoding="utf-8")
    table = books.read_resources(tmp_path)
    assert table is not None
    assert table["students"].tolist() == [100.0]
    assert table["sports_area"].isna().all()
    path.write_text(head + "007,primary,many,,5,1,1,450,,200000,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="第 2 行 students"):
        books.read_resources(tmp_path)
    path.write_text("school_id\n007\n", encoding="utf-8")
    with pytest.raises(InputError, match="缺少列"):
        books.read_resources(tmp_path)


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00\x81" * 50, b'code,"' + b"x" * 200_000])
def test_a_county_table_that_is_no_text_is_refused_in_words(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "rules.csv").write_bytes(raw)
    with pytest.raises(InputError, match=r"rules\.csv"):
        books.read_books(("national",), tmp_path)


@pytest.mark.parametrize(
    "rows",
    [
        "R-CLS-01,stage=primary,0,",
        "R-CLS-01,stage=primary,-5,",
        "R-CLS-01,stage=primary,44.6,",
        "R-CLS-01,stage=primary,60,学位确实不足需要过渡",  # within the standard and yet large
        "R-CLS-03,stage=primary|junior,5,",
        "R-STF-01,stage=primary,0,",
        "R-CLS-01,stage=primary,40,\nR-CLS-01,stage=primary,42,",
    ],
)
def test_absurd_or_contradictory_limits_of_a_county_are_refused(tmp_path: Path, rows: str) -> None:
    text = f"code,applies_to,limit,reason\n{rows}\n"
    (tmp_path / "rules.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"rules\.csv"):
        books.read_books(("national",), tmp_path)


def test_limits_that_are_loosened_together_are_taken(tmp_path: Path) -> None:
    text = (
        "code,applies_to,limit,reason\n"
        "R-CLS-01,stage=primary,57,学位确实不足需要过渡\n"
        "R-CLS-04,stage=primary|junior,60,学位确实不足需要过渡\n"
    )
    (tmp_path / "rules.csv").write_text(text, encoding="utf-8")
    limits = books.class_limits(books.read_books(("national",), tmp_path))
    assert (limits.primary, limits.large, limits.super_large) == (57, 60, 66)
