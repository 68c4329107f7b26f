"""How TensorRT is called, held against the types of three of its releases; needs none of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
RELEASES = ("10.3", "10.16", "11.4")
ENGINES = [*sorted((ROOT / "engines").glob("trt_*.py")), ROOT / "engines/gpu_room.py"]


def builders() -> list[Path]:
    """Modules of trt_build that are handed TensorRT's module as `trt`."""
    found = [p for p in sorted((ROOT / "trt_build").rglob("*.py")) if "trt: Any" in p.read_text()]
    return [path for path in found if "trt." in path.read_text()]


def check(release: str, place: Path, files: Sequence[Path]) -> list[str]:
    """What mypy says of files when TensorRT is of this release."""
    stub = place / release / "tensorrt/__init__.pyi"
    stub.parent.mkdir(parents=True, exist_ok=True)
    text = (ROOT / f"tests/data/tensorrt/stubs-{release}.txt").read_text("utf-8")
    classes = re.findall(r"^class (\w+)", text, re.M)
    members = "".join(f"    {name}: builtins.type[{name}]\n" for name in classes)
    stub.write_text(f"{text}\nclass Module:\n    __version__: str\n{members}", "utf-8")
    (stub.parent / "py.typed").touch()
    options = ["--no-warn-unused-ignores", "--follow-imports=silent"]
    options += ["--disable-error-code=assignment"]  # a name set to None, to let go of what it held
    options += ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(place / "cache")]
    code = (
        f"import os; os.environ['MYPYPATH'] = {str(stub.parents[1])!r}; from mypy.main import main"
    )
    run = [sys.executable, "-c", f"{code}; main()", *options, *map(str, files)]
    done = subprocess.run(run, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert (done.returncode == 0) == (not lines)
    return [line.removeprefix(f"{place}/") for line in lines]


def typed(path: Path, place: Path) -> Path:
    """A copy in which `trt` is TensorRT's module and not anything."""
    source = path.read_text("utf-8").replace("trt: Any", "trt: _tensorrt.Module")
    source = source.replace(
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nimport tensorrt as _tensorrt\n",
        1,
    )
    source = re.sub(r"(class \w+)\(trt\.", r"\1(_tensorrt.", source)
    copy = place / f"typed_{path.stem}.py"
    copy.write_text(source, "utf-8")
    return copy


@pytest.mark.parametrize("release", RELEASES)
def test_engines_and_builders_keep_to_every_release(release: str, tmp_path: Path) -> None:
    copies = [typed(path, tmp_path) for path in builders()]
    assert copies
    assert check(release, tmp_path, [*ENGINES, *copies]) == []


WRONG = """
from __future__ import annotations

from typing import Any

def f(trt: Any) -> None:
    builder = trt.Builder(trt.Logger())
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.INT8)
    config.int8_calibrator = None
    builder.create_network(1).no_such_thing()
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(b"")
    engine.device_memory_size
    engine.create_execution_context().execute_async_v2(1)
"""


@pytest.mark.parametrize("release", RELEASES)
def test_what_a_release_does_not_have_is_found(release: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG, "utf-8")
    said = "\n".join(check(release, tmp_path, [typed(tmp_path / "wrong.py", tmp_path)]))
    assert '"INetworkDefinition" has no attribute "no_such_thing"' in said
    assert '"IExecutionContext" has no attribute "execute_async_v2"' in said
    old = release != "11.4"
    assert ('has no attribute "device_memory_size"' in said) != old
    assert ('has no attribute "INT8"' in said) != old
