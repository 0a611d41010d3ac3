"""News for everyone who looks on: changes, checks, jobs, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

MOST = 400
"""Listeners at once."""
_WAITING = 1000


class Hub:
    """Passes news from any thread to all listeners."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: set[asyncio.Queue[bytes | None]] = set()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say on which loop the listeners run.

        Parameters
        ----------
        loop : AbstractEventLoop
            The server's loop.
        """
        self._loop = loop

    def tell(self, event: str, data: dict[str, Any]) -> None:
        """Pass news on; from any thread, without waiting.

        Parameters
        ----------
        event : str
            Its kind.
        data : dict
            Plain values.
        """
        if self._loop is None or self._loop.is_closed():
            return
        news = frame(event, data)
        self._loop.call_soon_threadsafe(self._pass, news)

    def close(self) -> None:
        """Let all listeners go."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pass, None)

    def _pass(self, news: bytes | None) -> None:
        for queue in list(self._queues):
            if queue.qsize() >= _WAITING or news is None:
                # Somebody who does not read is let go; the browser comes back and asks anew.
                queue.put_nowait(None)
            else:
                queue.put_nowait(news)

    def full(self) -> bool:
        """Say whether nobody more can listen.

        Returns
        -------
        bool
            True at :data:`MOST`.
        """
        return len(self._queues) >= MOST

    async def listen(self, first: dict[str, Any], every: float = 15.0) -> AsyncIterator[bytes]:
        """Listen until the listener or the server goes.

        Parameters
        ----------
        first : dict
            Told as ``hello``.
        every : float
            Seconds between signs of life.

        Yields
        ------
        bytes
            Frames of the stream.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield b"retry: 1000\n" + frame("hello", first)
            while True:
                try:
                    news = await asyncio.wait_for(queue.get(), every)
                except TimeoutError:
                    news = b": alive\n\n"
                if news is None:
                    return
                yield news
        finally:
            self._queues.discard(queue)


def frame(event: str, data: dict[str, Any]) -> bytes:
    """Write one event.

    Parameters
    ----------
    event : str
        Its kind.
    data : dict
        Plain values.

    Returns
    -------
    bytes
        One frame of the stream.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    return f"event: {event}\ndata: {text}\n\n".encode("utf-8", "replace")
