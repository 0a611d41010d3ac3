"""What every command shares: the application, its options, and how it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from catchment.errors import CatchmentError, InputError

app = typer.Typer(
    name="catchment",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="学区与学校布局规划 / School catchment and consolidation planning.",
)

Lang = Annotated[str, typer.Option("--lang", help="zh 或 / or en")]
Out = Annotated[Path | None, typer.Option("--out", help="输出文件夹 / output folder")]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache", help="保存路网和出行时间以便再次使用的文件夹 / folder to keep roads and times in"
    ),
]
SetAside = Annotated[
    bool,
    typer.Option(
        "--set-aside", help="有错误的行放在一边并计为“剔除” / set rows in error aside, count them"
    ),
]


def console(*, error: bool = False) -> Console:
    """Return a console that neither highlights nor wraps.

    Parameters
    ----------
    error : bool
        Whether it writes to the error stream.

    Returns
    -------
    Console
        The console.
    """
    return Console(stderr=error, highlight=False, soft_wrap=True)


def say(lang: str, zh: str, en: str) -> None:
    """Print one sentence in the chosen language, as text and never as markup.

    Parameters
    ----------
    lang : str
        ``zh`` or ``en``.
    zh, en : str
        The sentence in Chinese and in English.
    """
    console().print(escape(zh if lang == "zh" else en))


def check_lang(lang: str) -> Literal["zh", "en"]:
    """Return the language asked for.

    Parameters
    ----------
    lang : str
        What was given as ``--lang``.

    Returns
    -------
    str
        ``zh`` or ``en``; anything else is refused with CatchmentError.
    """
    if lang == "zh":
        return "zh"
    if lang == "en":
        return "en"
    raise CatchmentError(f"--lang {lang}: 只能是 zh 或 en / must be zh or en")


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show what long work is doing.

    Yields
    ------
    callable
        Takes the step's name; on a terminal it replaces the last one, elsewhere it is a line.
    """
    shown = console(error=True)
    with shown.status("…") as status:

        def tell(text: str) -> None:
            status.update(escape(text))
            if not shown.is_terminal:
                shown.print(escape(f"· {text}"))

        yield tell


def output_folder(path: Path, county: Path | None = None) -> Path:
    """Refuse a file in the place of a folder, or the county itself, before anything is computed.

    Parameters
    ----------
    path : Path
        Where the command will write.
    county : Path, optional
        The county's folder, where the command writes tables of the same names as its layers.

    Returns
    -------
    Path
        The same path; InputError where a file stands there or the county.
    """
    if county is not None and path.resolve() == county.resolve():
        raise InputError(
            f"{path} 是县的数据文件夹，其中的 villages.csv、costs.csv 等会被结果覆盖；请另给 --out / "
            "is the county's own folder, whose villages.csv or costs.csv the results would replace; "
            "give another --out"
        )
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} 是文件，不是文件夹；请换一个 / is a file, not a folder")
    return path


def wrote(written: Sequence[Path], lang: str) -> None:
    """Say which files were written.

    Parameters
    ----------
    written : sequence of Path
        The files.
    lang : str
        ``zh`` or ``en``.
    """
    say(
        lang,
        "已写入 " + "、".join(str(p) for p in written),
        "wrote " + ", ".join(str(p) for p in written),
    )
