"""ONNX Runtime is imported through one door, which keeps it from telling its maker anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOOR = ROOT / "engines/quiet_ort.py"


@pytest.mark.parametrize("first", ["engines.opening", "trt_build.oracle"])
def test_nothing_is_kept_for_the_maker(first: str, tmp_path: Path) -> None:
    graph = next((ROOT / "voices/yue").rglob("*.onnx"))
    code = f"import {first}, onnxruntime; onnxruntime.InferenceSession({str(graph)!r})"
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environ.pop("ORT_DISABLE_TELEMETRY", None)  # set in this process
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_it_is_imported_nowhere_else() -> None:
    files = [
        path
        for folder in ("benchmarks", "daemon", "engines", "tests", "training", "trt_build")
        for path in (ROOT / folder).rglob("*.py")
        if path not in (DOOR, Path(__file__))
    ]
    assert files
    assert [path for path in files if "import onnxruntime" in path.read_text("utf-8")] == []
