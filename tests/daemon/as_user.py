"""A client that is another user of this box: what the kernel tells of it is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.daemon.live import LiveDaemon

SCRIPT = """
import json, os, socket, sys
from sambertd_client import Client, RefusedError
uid, endpoint, expression = int(sys.argv[1]), sys.argv[2], sys.argv[3]
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
def refused(ask):
    try:
        ask()
    except RefusedError as refusal:
        return [refusal.code, str(refusal)]
def anew(ask):
    with Client(endpoint) as one:
        return ask(one)
def raw(path, greeting, message):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(path)
        link.settimeout(10)
        link.sendall(bytes.fromhex(greeting))
        words = b""
        while b"READY" not in words:
            words += link.recv(4096) or sys.exit("closed")
        link.sendall(bytes([0, len(message) // 2]) + bytes.fromhex(message))
        while not any(kind in words for kind in (b"error", b"cancelled")):
            words += link.recv(4096) or sys.exit("closed")
        return words.hex()
kept = []
with Client(endpoint) as client:
    print(json.dumps(eval(expression)))
"""
KIOSK, OTHER = 4101, 4102  # uids of nobody


def as_user(daemon: LiveDaemon, uid: int, expression: str) -> Any:
    """What an expression with a `client` gives, as JSON; the test is skipped where it cannot be."""
    process = begin_as_user(daemon, uid, expression)
    words = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    return json.loads(words)


def begin_as_user(daemon: LiveDaemon, uid: int, expression: str) -> subprocess.Popen[str]:
    if os.geteuid() != 0:
        print("\n*** NOT TESTED AS ANOTHER USER: that needs root", file=sys.stderr)
        pytest.skip("to be another user needs root")
    path = daemon.endpoint.removeprefix("ipc://")
    os.chmod(os.path.dirname(path), 0o711)
    os.chmod(path, 0o666)
    command = [sys.executable, "-c", SCRIPT, str(uid), daemon.endpoint, expression]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
