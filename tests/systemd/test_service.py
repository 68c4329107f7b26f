"""The installed service in a real systemd: it starts by a request, and outlives what befalls it.

Run in the order of this file, by `make test-systemd`; the last test takes the service off again.
"""

from __future__ import annotations

import re
import time

import pytest

from tests.systemd.box import SOURCE, WHEELS, Box, ended, report
from tests.systemd.service import LONG, await_state, await_work, busy, main_pid, speak

pytestmark = pytest.mark.systemd
DROP_IN = "/run/systemd/system/sambertd.service.d/test.conf"
WATCHDOG_S, RESTART_S = 20.0, 1.0
ASK = """
from sambertd_client import Client
with Client("ipc:///run/sambertd/sambertd.sock", timeout=60) as client:
    print(client.status().state)
"""


def test_it_is_installed_and_ready(box: Box) -> None:
    assert box.fact("ActiveState") == "active"
    assert box.fact("StatusText") == "ready: yue"
    for unit in ("sambertd.socket", "sambertd.service"):
        assert box.run(f"systemctl is-enabled {unit}") == "enabled\n"
    assert box.run("stat -c '%a %U %G' /run/sambertd/sambertd.sock") == "660 sambertd sambertd\n"
    assert box.run("stat -c '%a %U' /var/cache/sambertd /var/lib/sambertd").split() == [
        *("750", "sambertd"),
        *("750", "sambertd"),
    ]
    report("first sentence", speak(box))


def test_it_runs_as_a_user_of_its_own_without_network_or_rights(box: Box) -> None:
    facts = box.run(f"cat /proc/{main_pid(box)}/status")
    uid = box.run("id -u sambertd").strip()
    assert re.search(rf"^Uid:\s+{uid}\s+{uid}\s+{uid}", facts, re.MULTILINE)
    assert re.search(r"^CapBnd:\s+0{16}$", facts, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", facts, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", facts, re.MULTILINE)
    links = box.run(f"nsenter -t {main_pid(box)} -n cat /proc/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in links] == ["lo"]
    assert box.run(f"nsenter -t {main_pid(box)} -n cat /proc/net/route").splitlines()[1:] == []


@pytest.mark.parametrize("unit", ["sambertd.service", "sambertd-build.service"])
def test_the_fence_scores_well(box: Box, unit: str) -> None:
    words = box.run(f"systemd-analyze security --no-pager --threshold=15 {unit}")
    print(f"\n  {words.strip().splitlines()[-1]}")


def test_the_units_and_manuals_are_sound(box: Box) -> None:
    units = "sambertd.service sambertd.socket sambertd-build.service"
    assert box.run(f"systemd-analyze verify --man=no {units} 2>&1 | grep -i sambertd || true") == ""
    for page in ("man8/sambertd.8", "man1/sambertctl.1"):
        assert box.run(f"test -s /usr/local/share/man/{page}") == ""


def test_completion_is_where_each_shell_looks(box: Box) -> None:
    for place, mark in (
        ("/usr/local/share/bash-completion/completions/sambertctl", "complete -F"),
        ("/usr/local/share/zsh/site-functions/_sambertctl", "#compdef"),
        ("/etc/fish/completions/sambertctl.fish", "complete -c"),
    ):
        box.run(f"grep -q -- '{mark}' {place} && su nobody -s /bin/sh -c 'test -r {place}'")


def test_a_stranger_is_refused(box: Box) -> None:
    words = box.run("runuser -u stranger -- sambertctl status", check=False)
    assert "join the group of its socket" in words


def test_the_first_request_starts_it(box: Box) -> None:
    box.run("systemctl stop sambertd.service")
    assert box.fact("ActiveState") == "inactive"
    report("stopped; a first request starts it and is spoken", speak(box))
    assert box.fact("ActiveState") == "active"


def test_what_is_asked_while_it_is_down_is_answered(box: Box) -> None:
    box.write(DROP_IN, "[Service]\nRestartSec=3\n")
    box.run(f"systemctl daemon-reload; kill -KILL {main_pid(box)}")
    box.write("/tmp/ask.py", ASK)
    began = time.monotonic()
    words = box.run("runuser -u kiosk -- /opt/sambertd/current/bin/python /tmp/ask.py")
    took = time.monotonic() - began
    assert words.strip() in ("loading", "ready")
    assert took > 2
    report("asked while it is down for 3 s, until the answer", took)
    box.run(f"rm {DROP_IN} && systemctl daemon-reload")
    await_state(box, "active", 30)


@pytest.mark.parametrize("number", ["KILL", "SEGV"])
def test_killed_it_is_back(box: Box, number: str) -> None:
    pid = main_pid(box)
    box.run(f"kill -{number} {pid}")
    took = speak(box)
    report(f"kill -{number}, until the next sentence is spoken", took)
    assert main_pid(box) != pid


def test_a_frozen_process_is_replaced(box: Box) -> None:
    began, pid = time.time(), main_pid(box)
    box.run(f"kill -STOP {pid}")
    took = await_state(box, "active", WATCHDOG_S + 30, pid)
    report(f"frozen, until it is ready again (WatchdogSec={WATCHDOG_S:g})", took)
    assert "Watchdog timeout" in box.journal(began)
    speak(box)


def test_an_engine_that_hangs_is_replaced(box: Box) -> None:
    """The loop runs on and answers; that alone must not feed the watchdog."""
    box.write(
        DROP_IN,
        f"[Service]\nEnvironment=PYTHONPATH={SOURCE}/tests/systemd/hang\nWatchdogSec=3\n",
    )
    box.run("systemctl daemon-reload && systemctl restart sambertd")
    began, pid = time.time(), main_pid(box)
    asking = box.start("runuser -u kiosk -- sambertctl say --out /tmp/hang.wav 卡住")
    await_work(box, 1)
    report("engine hangs (2 s allowed here, WatchdogSec=3)", await_state(box, "active", 60, pid))
    words = box.journal(began)
    assert "the engine gave no sign of life" in words
    assert "Watchdog timeout" in words
    assert "sitecustomize.py" in words, "the stack names the line that hangs"
    assert ended(asking)[0] != 0
    box.run(f"rm {DROP_IN} && systemctl daemon-reload && systemctl restart sambertd")
    speak(box)


def test_loading_may_take_longer_than_the_start_is_given(box: Box) -> None:
    """As engines do that are built before it is ready."""
    box.write(
        DROP_IN,
        f"[Service]\nEnvironment=PYTHONPATH={SOURCE}/tests/systemd/hang LOAD_S=8\n"
        "TimeoutStartSec=4\n",
    )
    began = time.time()
    box.run("systemctl daemon-reload && systemctl restart sambertd")
    assert time.time() - began > 8
    assert "timed out" not in box.journal(began)
    box.run(f"rm {DROP_IN} && systemctl daemon-reload && systemctl restart sambertd")


def test_a_bad_setting_is_told_in_one_line_and_heals(box: Box) -> None:
    config = "/etc/sambertd/sambertd.toml"
    began = time.time()
    box.run(f"cp -p {config} /tmp/good.toml && echo 'speed = 3' >> {config}")
    box.run("systemctl restart sambertd", check=False)
    time.sleep(6)  # long enough for several attempts
    words = box.journal(began, "-p err")
    assert f"sambertd: {config}: speaker.speed: no such key; known here: enabled, device," in words
    assert "Traceback" not in words
    assert box.fact("ActiveState", "sambertd.socket") == "active"
    box.run(f"cp -p /tmp/good.toml {config}")
    report("settings mended, until it is ready by itself", await_state(box, "active", 30))
    speak(box)


def test_settings_are_reloaded_while_it_speaks(box: Box) -> None:
    """Also broken ones, which change nothing; nobody's speech is cut."""
    config, pid = "/etc/sambertd/sambertd.toml", main_pid(box)
    sound = "cksum < /tmp/kiosk.wav"
    say = f"runuser -u kiosk -- sambertctl say --cache ignore --out /tmp/kiosk.wav {LONG[:480]}"
    box.run(say)
    wanted = box.run(sound)
    box.run(f"cp -p {config} /tmp/good.toml && rm /tmp/kiosk.wav")
    for settings, words in (
        ("[limits]\nwaiting = -1\n", "limits.waiting: -1 is not within 0 and 100"),
        ("[limits]\nwaiting = 5\n", "reloaded: changed limits.waiting"),
    ):
        speaking = box.start(say)
        await_work(box, 1)
        box.run(f"sed '/^\\[limits\\]/d' /tmp/good.toml > {config}")
        box.run(f"printf '{settings}' >> {config}")
        began = time.time()
        box.run("systemctl reload sambertd")
        until = time.monotonic() + 10
        while words not in box.journal(began):
            assert time.monotonic() < until, box.journal(began)
            time.sleep(0.1)
        assert ended(speaking)[0] == 0
        assert box.run(sound) == wanted
        assert (box.fact("ActiveState"), main_pid(box)) == ("active", pid)
        assert (words in box.fact("StatusText")) == (settings.count("-1") == 1)
    assert "and 5 waiting" in box.run("sambertctl info")
    box.run(f"cp -p /tmp/good.toml {config} && systemctl reload sambertd")


def test_stop_under_load_is_soon_and_clean(box: Box) -> None:
    clients = busy(box)
    began = time.monotonic()
    box.run("systemctl stop sambertd.service")
    took = time.monotonic() - began
    report("stop under load", took)
    assert took < 10
    assert (box.fact("Result"), box.fact("ExecMainStatus")) == ("success", "0")
    for client in clients:
        code, words = ended(client)
        assert code == 3, words
        assert "shutting down" in words


def test_restart_under_load_keeps_the_socket(box: Box) -> None:
    speak(box)
    clients, inode = busy(box), box.run("stat -c %i /run/sambertd/sambertd.sock")
    began = time.monotonic()
    restarting = box.start("systemctl restart sambertd.service")
    speak(box)
    report("restart under load, until the next sentence is spoken", time.monotonic() - began)
    assert ended(restarting) == (0, "")
    assert box.run("stat -c %i /run/sambertd/sambertd.sock") == inode
    for client in clients:
        assert ended(client)[0] == 3


def test_an_upgrade_keeps_what_is_the_users(box: Box) -> None:
    box.run("echo '# mine' >> /etc/sambertd/sambertd.toml")
    box.run("install -d -o sambertd -g sambertd /var/cache/sambertd/engines/kept")
    box.run("cp -r /opt/sambertd/current/voices/yue /var/lib/sambertd/voices/zu")
    box.run("sed -i 's/^name = .*/name = \"zu\"/' /var/lib/sambertd/voices/zu/voice.toml")
    before, pid = box.run("readlink /opt/sambertd/current"), main_pid(box)
    installing = box.start(f"make -C {SOURCE} install WHEELHOUSE={WHEELS}")
    longest = 0.0
    while installing.poll() is None:
        longest = max(longest, speak(box, cut_off=True))
    code, words = ended(installing)
    assert code == 0, words
    report("upgrade: longest wait for a sentence meanwhile", longest)
    assert main_pid(box) != pid
    assert box.run("readlink /opt/sambertd/current") != before
    assert len(box.run("ls /opt/sambertd/releases").split()) == 1
    assert box.run("tail -n 1 /etc/sambertd/sambertd.toml") == "# mine\n"
    box.run("test -d /var/cache/sambertd/engines/kept")
    assert "zu: zh-CN" in box.run("sambertctl voices")


def test_a_version_that_does_not_start_is_taken_back(box: Box) -> None:
    before = box.run("readlink /opt/sambertd/current")
    config = "/etc/sambertd/sambertd.toml"
    box.write(
        DROP_IN,
        "[Service]\nExecStartPre=/bin/sh -c 'case $(readlink /opt/sambertd/current) in "
        f"{before.strip()}) ;; *) exit 1 ;; esac'\nRestart=no\n",
    )
    words = box.run(f"make -C {SOURCE} install WHEELHOUSE={WHEELS}", check=False)
    assert "serves again" in words
    assert box.run("readlink /opt/sambertd/current") == before
    assert box.run(f"test -e {config}") == ""
    box.run(f"rm {DROP_IN} && systemctl daemon-reload")
    speak(box)


def test_uninstalled_only_the_users_things_are_left(box: Box) -> None:
    words = box.run(f"make -C {SOURCE} uninstall")
    assert "Kept: /etc/sambertd" in words
    found = box.run(
        "find / -xdev -ipath '*sambert*' -not -path '/mnt/*' -not -path '/proc/*' "
        "-newer /etc/machine-id 2>/dev/null || true"
    )
    left = {
        line
        for line in found.splitlines()
        if line.startswith(("/usr/", "/opt/", "/run/", "/etc/fish/"))
    }
    assert left == set()
    assert box.run("tail -n 1 /etc/sambertd/sambertd.toml") == "# mine\n"
    box.run("test -d /var/cache/sambertd/engines/kept && test -d /var/lib/sambertd/voices/zu")
    box.run(f"make -C {SOURCE} uninstall PURGE=1")
    box.run("! test -e /etc/sambertd -o -e /var/lib/sambertd -o -e /var/cache/sambertd")
    box.run("! id sambertd && ! getent group sambertd")
