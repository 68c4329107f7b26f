"""Speech through the fenced unit, PortAudio and ALSA, to the last sample.

By its name it comes before test_service.py, whose last test takes the service off again.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.daemon.sink import missing
from tests.systemd.box import Box

pytestmark = [pytest.mark.systemd, pytest.mark.audio]
DROP_IN = "/run/systemd/system/sambertd.service.d/sound.conf"
PULSE = "/run/pulse-test"
NULL_SINK = "sink_name=ci rate=16000 channels=1 format=s16le norewinds=1"
TEXT = "电梯正在上行，请注意安全。"


@pytest.fixture
def sink(box: Box) -> Iterator[Box]:
    """A sound server of another user, whose only sink has no card."""
    if missing():
        pytest.skip(missing())
    box.run(f"install -d -o kiosk -m 0755 {PULSE}")
    box.run(
        f"systemd-run -q --unit=pulse-test -p User=kiosk -E HOME={PULSE} -E XDG_RUNTIME_DIR={PULSE}"
        " pulseaudio -n --daemonize=no --exit-idle-time=-1 --use-pid-file=no"
        f" -L 'module-null-sink {NULL_SINK}'"
        f" -L 'module-native-protocol-unix auth-anonymous=1 socket={PULSE}/native'"
    )
    box.write("/etc/asound.conf", "pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    box.write(DROP_IN, f"[Service]\nEnvironment=PULSE_SERVER=unix:{PULSE}/native\n")
    box.run(f"until test -S {PULSE}/native; do sleep 0.05; done", timeout_s=10)
    box.run("systemctl daemon-reload && systemctl restart sambertd")
    yield box
    box.run(f"rm {DROP_IN} /etc/asound.conf; systemctl stop pulse-test")
    box.run("systemctl daemon-reload && systemctl restart sambertd")


def samples(box: Box, path: str, skip: int = 0) -> NDArray[np.int16]:
    coded = box.run(f"tail -c +{skip + 1} {path} | base64 -w 0")
    return np.frombuffer(base64.b64decode(coded), "<i2")


def test_the_speaker_plays_every_sample(sink: Box) -> None:
    assert "no speaker" not in sink.run("sambertctl status")
    listening = sink.start(
        f"PULSE_SERVER=unix:{PULSE}/native exec parec -d ci.monitor --raw --rate=16000 --channels=1"
        " --format=s16le --latency-msec=20 > /tmp/heard.raw"
    )
    time.sleep(1)
    words = sink.run(f"runuser -u kiosk -- sambertctl say {TEXT}")
    assert "played on" in words
    time.sleep(0.5)
    sink.run("pkill -INT -x parec")
    listening.communicate(timeout=10)
    sink.run(f"runuser -u kiosk -- sambertctl say --out /tmp/wanted.wav {TEXT}")
    wanted, heard = samples(sink, "/tmp/wanted.wav", 44), samples(sink, "/tmp/heard.raw")
    loud = np.flatnonzero(np.abs(wanted) > 1000)[0]
    starts = np.flatnonzero(heard == wanted[loud]) - loud
    exact = [s for s in starts if s >= 0 and np.array_equal(heard[s : s + len(wanted)], wanted)]
    assert len(wanted) > 16000
    assert len(exact) == 1
    print(f"\n  {len(wanted)} samples played through the fenced unit, all exact")
