"""Builds in real child processes: bounded, killed, crashed, orphaned, and one that succeeds."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trt_build.golden_graphs import BUILT_IN, ROOT, case
from trt_build import rtx, supervised
from trt_build.child import Task, build_in_child, shapes_of
from trt_build.errors import BuildError
from trt_build.profiles import profile
from trt_build.supervised import Limits

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "client/src")))}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def hear(lines: list[bytes]) -> Callable[[bytes], bool]:
    def line(data: bytes) -> bool:
        lines.append(data)
        return True

    return line


def run(code: str, limits: Limits, given: bytes = b"") -> list[bytes]:
    lines: list[bytes] = []
    supervised.run(python(code), given, limits, hear(lines))
    return lines


def ends_with(code: str, limits: Limits) -> BuildError:
    with pytest.raises(BuildError) as error:
        run(code, limits)
    return error.value


def gone(pid: int, within: float = 10.0) -> bool:
    """Whether a process ends; a zombie has ended."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


def test_lines_come_as_they_are_written() -> None:
    code = "import sys; print(sys.stdin.read()); print('two', flush=True); print('no end', end='')"
    assert run(code, Limits(), b"one") == [b"one", b"two"]


@pytest.mark.parametrize("pause_ms", range(0, 120, 8))
def test_what_is_said_just_before_the_end_is_heard(pause_ms: int) -> None:
    """Wherever between two looks of ours that is."""
    code = f"import os, time; time.sleep({pause_ms / 1000}); os.write(1, b'the last\\n')"
    assert run(code, Limits()) == [b"the last"]


def test_a_child_that_eats_memory_is_killed() -> None:
    start = time.monotonic()
    error = ends_with(
        "import time\nheld = []\nwhile True:\n held.append(bytes(b'x' * 2**20)); time.sleep(0.001)",
        Limits(memory_mb=200, time_s=60),
    )
    assert error.code == "build_memory"
    assert "200 MB" in str(error)
    assert "--memory-mb" in str(error)
    assert time.monotonic() - start < 30


def test_addresses_that_are_only_reserved_do_not_count() -> None:
    """As CUDA reserves them: RLIMIT_AS would end this."""
    code = "import mmap, time; m = mmap.mmap(-1, 2**36, flags=mmap.MAP_PRIVATE|0x4000); print('ok')"
    assert run(code, Limits(memory_mb=100)) == [b"ok"]


def test_a_child_that_hangs_is_killed() -> None:
    error = ends_with("import time; time.sleep(600)", Limits(time_s=0.5))
    assert error.code == "build_timeout"
    assert "--time-limit" in str(error)


def test_a_child_that_hangs_with_its_outputs_closed_is_killed() -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(600)"
    assert ends_with(code, Limits(time_s=0.5)).code == "build_timeout"


def test_a_child_that_crashes_tells_its_last_words() -> None:
    error = ends_with(
        "import ctypes, os\nos.write(2, b'near the end')\nctypes.string_at(0)",
        Limits(time_s=60),
    )
    assert error.code == "build_crashed"
    assert "SIGSEGV" in str(error)
    assert "near the end" in str(error)


def test_a_killed_child_is_told_as_killed() -> None:
    error = ends_with("import os; os.kill(os.getpid(), 9)", Limits())
    assert error.code == "build_killed"


def test_another_status_is_a_failure_with_the_last_words_alone() -> None:
    code = "import sys; sys.stderr.write('x' * 200_000 + ' the end'); sys.exit(3)"
    error = ends_with(code, Limits())
    assert error.code == "build_failed"
    assert "status 3" in str(error)
    assert str(error).endswith("the end")
    assert len(str(error)) < 1000


def test_a_listener_stops_it() -> None:
    code = "import time\nwhile True: print('on', flush=True); time.sleep(0.01)"
    with pytest.raises(BuildError) as error:
        supervised.run(python(code), b"", Limits(time_s=60), lambda _: False)
    assert error.value.code == "build_cancelled"


def test_it_is_gone_when_the_listener_raises(tmp_path: Path) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    pids: list[int] = []

    def line(data: bytes) -> bool:
        pids.append(int(data))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        supervised.run(python(code), b"", Limits(), line)
    assert gone(pids[0])


def test_what_it_started_goes_with_it() -> None:
    code = """
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    """
    (pid,) = run(code, Limits(time_s=60))
    assert gone(int(pid))


def test_an_orphan_dies() -> None:
    """kill -9 of whoever waits for a build ends the build."""
    parent = textwrap.dedent("""
        import os, sys
        from trt_build import supervised
        from trt_build.supervised import Limits
        code = '''
        import os, sys, time
        from trt_build.humble import bind_to_parent
        bind_to_parent(int(sys.argv[1]))
        print(os.getpid(), flush=True)
        time.sleep(600)
        '''.replace("\\n        ", "\\n")
        def line(data):
            print(data.decode(), flush=True)
            return True
        command = [sys.executable, "-c", code, str(os.getpid())]
        supervised.run(command, b"", Limits(), line)
        """)
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        assert not gone(child, within=0.3)
        process.send_signal(signal.SIGKILL)
        assert gone(child)


def test_a_child_whose_parent_is_gone_does_not_begin() -> None:
    command = [sys.executable, "-m", "trt_build.child", "1"]
    if os.getpid() == 1:
        pytest.skip("this process is number 1 itself")
    done = subprocess.run(command, input=b"not read", env=ENVIRONMENT, capture_output=True)
    assert done.returncode == 1


def test_a_child_gives_way() -> None:
    code = """
    import os
    from pathlib import Path
    from trt_build.humble import give_way
    give_way(idle=True)
    print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE)
    print(Path("/proc/self/oom_score_adj").read_text().strip())
    """
    assert run(code, Limits()) == [b"19 True", b"1000"]


def memory_task(folder: Path, **changes: Any) -> Task:
    it = case(BUILT_IN, "memory")
    return Task(
        **{
            "model": str(ROOT / BUILT_IN / "memory.onnx"),
            "out": str(folder / "memory.plan"),
            "profiles": shapes_of([profile(it.model, it.dimensions)]),
            "library": str(rtx.default_folder()),
            **changes,
        }
    )


@pytest.mark.tensorrt
def test_a_plan_is_built_in_a_child(trt: Any, tmp_path: Path) -> None:
    shares: list[float] = []

    def listen(phase: str, share: float) -> bool:
        shares.append(share)
        return True

    limits = Limits(time_s=120, memory_mb=4000, idle=True)
    built = build_in_child(memory_task(tmp_path), limits, listen)
    assert (tmp_path / "memory.plan").read_bytes() == built.data
    assert built.layers > 5
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [p.name for p in tmp_path.iterdir()] == ["memory.plan"]


@pytest.mark.tensorrt
@pytest.mark.parametrize(
    ("changes", "limits", "code"),
    [
        ({"profiles": ()}, Limits(), "build_failed"),
        ({"model": "none.onnx"}, Limits(), "graph_unreadable"),
        ({"library": "nowhere"}, Limits(), "library_missing"),
        ({"out": "/proc/none/memory.plan"}, Limits(), "cannot_write"),
        ({"weak_typing": True}, Limits(), "weak_typing_unsupported"),
        ({}, Limits(memory_mb=20), "build_memory"),
        ({}, Limits(time_s=0.3), "build_timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_goes_wrong_in_a_child_is_told(
    trt: Any, tmp_path: Path, changes: dict[str, Any], limits: Limits, code: str
) -> None:
    with pytest.raises(BuildError) as error:
        build_in_child(memory_task(tmp_path, **changes), limits)
    assert error.value.code == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.tensorrt
def test_a_build_in_a_child_is_stopped(trt: Any, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as error:
        build_in_child(memory_task(tmp_path), Limits(), lambda phase, share: share < 0.5)
    assert error.value.code == "build_cancelled"
    assert list(tmp_path.iterdir()) == []


def test_without_tensorrt_a_child_names_the_cure(tmp_path: Path) -> None:
    if importlib.util.find_spec("tensorrt"):
        pytest.skip("TensorRT is installed here")
    with pytest.raises(BuildError, match="pip install") as error:
        build_in_child(memory_task(tmp_path, library=""), Limits(time_s=60))
    assert error.value.code == "library_missing"
