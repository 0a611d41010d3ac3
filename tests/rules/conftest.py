from __future__ import annotations

import sys
from pathlib import Path

# the tiny county is worked out by hand once, for indicators and rules alike
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "indicators"))
