"""Sentences as robots and kiosks say them: what a voice is sized, checked and calibrated with."""

from __future__ import annotations

from pathlib import Path

CALIBRATION = Path(__file__).with_name("calibration.txt")


def sentences() -> list[str]:
    """One text a line, some of several sentences."""
    return CALIBRATION.read_text("utf-8").splitlines()
