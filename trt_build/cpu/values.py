"""The forms in which a value of a graph is there while it is rewritten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from trt_build.cpu.writer import Writer
from trt_build.errors import BuildError

Ranges = Mapping[str, tuple[float, float]]
TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


class Step(NamedTuple):
    """Scale and zero point of unsigned 8-bit values."""

    scale: float
    zero: int

    @classmethod
    def of(cls, low: float, high: float) -> Step:
        """For values of this range; 0 is exact."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / 255.0 or 1.0
        return cls(scale, round(-low / scale))


class Integers(NamedTuple):
    """A value as integers, and what they stand for."""

    name: str
    step: Step


class Value:
    """The forms in which a value with four axes is there, by the name of each; empty if it is not.

    first, last: FP32 with channels first and last. integers: channels last.
    """

    def __init__(self, first: str = "", last: str = "", integers: Integers | None = None) -> None:
        self.first, self.last, self.integers = first, last, integers


class Values:
    """All values with four axes, by their old names; a missing form is made when asked for."""

    def __init__(self, writer: Writer, ranges: Ranges) -> None:
        self._writer, self._ranges = writer, ranges
        self._values: dict[str, Value] = {}

    def __setitem__(self, name: str, value: Value) -> None:
        self._values[name] = value

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def get(self, name: str) -> Value | None:
        """A value; None if it has not four axes."""
        return self._values.get(name)

    def last(self, name: str) -> str:
        """A value in FP32, channels last."""
        value = self._values[name]
        if not value.last and value.integers:
            given = value.integers
            at = name.rpartition("/")[0]
            value.last = self._writer.op(
                "DequantizeLinear", given.name, *self.constants(given.step), at=at
            )
        if not value.last:
            value.last = self._turned(name, value.first, TO_LAST)
        return value.last

    def first(self, name: str) -> str:
        """A value in FP32, channels first; one without four axes as it is."""
        value = self._values.get(name)
        if value is None:
            return name
        if not value.first:
            value.first = self._turned(name, self.last(name), TO_FIRST)
        return value.first

    def _turned(self, name: str, source: str, perm: list[int]) -> str:
        return self._writer.op("Transpose", source, at=name.rpartition("/")[0], perm=perm)

    def constants(self, step: Step) -> tuple[str, str]:
        """Constants of a scale and a zero point."""
        scale = self._writer.constant(np.array(step.scale, np.float32), f"scale_{step.scale!r}")
        return scale, self._writer.constant(np.array(step.zero, np.uint8), f"zero_{step.zero}")

    def step(self, name: str) -> Step:
        """The range of a value, calibrated."""
        if name not in self._ranges:
            raise BuildError(
                "range_missing", f"the calibration has no range of {name}; calibrate again"
            )
        return Step.of(*self._ranges[name])

    def quantized(self, name: str, step: Step) -> str:
        """A value as integers of this step."""
        have = self._values[name].integers
        if have is not None and have.step == step:
            return have.name
        at = name.rpartition("/")[0]
        return self._writer.op("QuantizeLinear", self.last(name), *self.constants(step), at=at)

    def taken(self, name: str) -> Integers:
        """The input of a convolution as integers."""
        value = self._values[name]
        if value.integers is None:
            step = self.step(name)
            value.integers = Integers(self.quantized(name, step), step)
        return value.integers
