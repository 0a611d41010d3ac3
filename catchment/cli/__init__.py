"""Doors on the command line: one command a verb.

Every command ends by saying what it wrote and what to look at; every error names the layer, row,
value and remedy and shows no traceback (``--debug`` shows it).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from rich.markup import escape

from catchment.cli import county, plans, propose, provinces, runs, siting, workbench
from catchment.cli.doors import app, console
from catchment.errors import CatchmentError

__all__ = [
    "app", "county", "main", "plans", "propose", "provinces", "runs", "siting", "workbench",
]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors are shown to people, never as a traceback.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``catchment``; those of the process when left out.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        # A Windows console may not speak UTF-8; an unknown sign must not stop a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if not debug:
        warnings.simplefilter("ignore")
    try:
        app(words, standalone_mode=True)
    except CatchmentError as fault:
        if debug:
            raise
        console(error=True).print(f"[bold red]错误 / error[/]: {escape(str(fault))}")
        raise SystemExit(2) from fault
    except SystemExit as end:
        if end.code == 130:  # typer turns Ctrl-C into this, without a word
            console(error=True).print(
                "已停止，没有写到一半的文件 / stopped; no file is half-written"
            )
        raise
    except KeyboardInterrupt as stop:
        console(error=True).print("已停止 / stopped")
        raise SystemExit(130) from stop
    except Exception as fault:
        if debug:
            raise
        console(error=True).print(
            f"[bold red]程序内部错误 / internal error[/]: {escape(f'{type(fault).__name__}: {fault}')}\n"
            "这是程序的缺陷，没有写出结果；加 --debug 重新运行可得到完整记录 / "
            "this is a fault of the program; nothing was written; run again with --debug for the record"
        )
        raise SystemExit(70) from fault
