"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def write_whole(target: Path, write: Callable[[Path], None]) -> None:
    """Write a file under a temporary name, flush it, and give it its name in one step.

    Parameters
    ----------
    target : Path
        File to make or replace.
    write : callable
        Writes the file it is given the path of.
    """
    with _temporary(target) as temporary:
        write(temporary)
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)


@contextlib.contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """Name a file in the folder of the target that is gone afterwards, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=f".{target.stem}-", dir=target.parent))
    try:
        yield folder / target.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)
