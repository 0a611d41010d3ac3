"""Requests made up from the API document, by schemathesis, against a server of its own.

python -m scripts.workbench_fuzz [--examples 200] [--seed 1] [--swift] [--seconds 900]
No fault (5xx other than the documented "busy"), no answer that the document does not name.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from scripts.workbench_load import Server
from tests.tiny_files import write_tiny

CHECKS = (
    "status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,negative_data_rejection"
)
"""``not_a_server_error`` is left to the conformance of statuses: 503 "busy" is documented, 500 is not."""
LEFT_OUT = r"^/api/(events|logout)$"
"""The stream does not end by itself; logging out would end the session that asks."""
SLOW = r"^/api/(events|logout|import.*|check|jobs.*)$"
"""Also what starts processes or waits for them: a request takes seconds."""


def fuzz(
    server: Server,
    examples: int,
    seed: int,
    phases: str = "coverage,fuzzing",
    *,
    left_out: str = LEFT_OUT,
    seconds: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Let schemathesis ask.

    Parameters
    ----------
    server : Server
        A running server.
    examples : int
        Requests for each operation and phase at most.
    seed : int
        Seed.
    phases : str
        Phases of schemathesis.
    left_out : str
        Pattern of paths that are not asked.
    seconds : int, optional
        How long to make requests up.

    Returns
    -------
    CompletedProcess
        What it says; 0 where nothing was found.
    """
    cookie = "; ".join(f"{k}={v}" for k, v in server.cookie().items())
    document = httpx.get(f"{server.home}/api/openapi.json").json()
    # The cookie goes with every request; whether it is asked for is a test of its own.
    document["components"].pop("securitySchemes")
    document.pop("security")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openapi.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")), "run", str(path),
                "--url",
                server.home,
                "--header", f"Cookie: {cookie}", "--header", f"Origin: {server.home}",
                "--checks", CHECKS, "--max-examples", str(examples), "--seed", str(seed),
                "--phases", phases, "--exclude-path-regex", left_out,
                "--generation-database", "none", "--request-timeout", "60", "--no-color",
                "--suppress-health-check", "all",
                *(("--max-time", str(seconds)) if seconds else ()),
            ],
            capture_output=True, text=True, encoding="utf-8", check=False, cwd=folder,
        )  # fmt: skip


def main() -> None:
    """Start a server on the tiny county and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--swift", action="store_true", help="only what answers at once")
    parser.add_argument("--seconds", type=int, help="stop making requests up after so long")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(write_tiny(Path(folder) / "tiny"), Path(folder) / "state.sqlite")
        server.start()
        try:
            left_out = SLOW if given.swift else LEFT_OUT
            found = fuzz(
                server, given.examples, given.seed, left_out=left_out, seconds=given.seconds
            )
        finally:
            server.kill()
    sys.stdout.write(found.stdout[-12_000:] + found.stderr[-2000:])
    raise SystemExit(found.returncode)


if __name__ == "__main__":
    main()
