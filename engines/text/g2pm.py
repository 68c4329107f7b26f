"""Readings of polyphonic characters from their sentence, by g2pM's small two-way LSTM.

Weights: g2pM 0.1.2.5 (kakaobrain, Apache-2.0), arXiv 2004.03136. Both directions run as one batch,
and only the readings a character has are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

DATA: Final = Path(__file__).parent / "data" / "g2pm" / "g2pm.npz"

Array = npt.NDArray[np.float32]

# Rows multiplied at once. OpenBLAS wakes its other threads for more, which costs a loaded machine
# more than it gains.
_ROWS: Final = 16
_UNKNOWN, _BEGIN, _END, _FIRST = 1, 2, 3, 4  # ids 0-3 are padding, unknown, begin, end


class G2pM:
    """The model, loaded once; safe to call from several threads."""

    def __init__(self) -> None:
        with np.load(DATA) as data:
            self._embedding: Array = data["embedding"]
            self._weight_ih: Array = data["weight_ih"].transpose(0, 2, 1)
            self._weight_hh: Array = np.ascontiguousarray(data["weight_hh"].transpose(0, 2, 1))
            self._bias: Array = data["bias"][:, None, :]
            self._hidden: tuple[Array, Array] = data["hidden_weight"].T, data["hidden_bias"]
            self._output: tuple[Array, Array] = data["output_weight"], data["output_bias"]
            self._ids = {c: n for n, c in enumerate(str(data["characters"]), start=_FIRST)}
            classes = {name: n for n, name in enumerate(str(data["classes"]).split())}
            rows = [row.split() for row in str(data["polyphones"]).splitlines()]
        self._readings = {row[0]: row[1:] for row in rows}
        self._classes = {row[0]: np.array([classes[name] for name in row[1:]]) for row in rows}

    def is_polyphone(self, character: str) -> bool:
        """Whether the model knows more than one reading of the character."""
        return character in self._readings

    def read(self, text: str, positions: Sequence[int]) -> list[str]:
        """The reading ("hang2", v for ü) of the polyphone at each position of the text."""
        if not positions:
            return []
        states = self._states(text)
        weight, bias = self._hidden
        hidden = np.maximum(states[list(positions)] @ weight + bias, 0)
        result = []
        for row, position in zip(hidden, positions, strict=True):
            character = text[position]
            classes = self._classes[character]
            scores = self._output[0][classes] @ row + self._output[1][classes]
            result.append(self._readings[character][int(scores.argmax())])
        return result

    def _states(self, text: str) -> Array:
        """LSTM states (len(text), 64), forward and backward side by side."""
        inner = [self._ids.get(character, _UNKNOWN) for character in text]
        embedded = self._embedding[[_BEGIN, *inner, _END]]
        gates = self._gates(np.stack([embedded, embedded[::-1]]))
        size = self._weight_hh.shape[1]
        h = np.zeros((2, 1, size), np.float32)
        c = np.zeros((2, 1, size), np.float32)
        states = np.empty((len(inner) + 2, 2, size), np.float32)
        for step in range(len(inner) + 2):
            gate = gates[:, step : step + 1] + h @ self._weight_hh
            i, f, o = (_sigmoid(gate[..., k * size : (k + 1) * size]) for k in (0, 1, 3))
            c = f * c + i * np.tanh(gate[..., 2 * size : 3 * size])
            h = o * np.tanh(c)
            states[step] = h[:, 0]
        both: Array = np.concatenate([states[:, 0], states[::-1, 1]], axis=1)
        return both[1:-1]

    def _gates(self, embedded: Array) -> Array:
        """What the input gives to the gates (2, n, 4 * 32), computed in this thread alone."""
        count = embedded.shape[1]
        gates = np.empty((2, count, self._weight_ih.shape[2]), np.float32)
        for start in range(0, count, _ROWS):
            rows = slice(start, start + _ROWS)
            np.matmul(embedded[:, rows], self._weight_ih, out=gates[:, rows])
        gates += self._bias
        return gates


def _sigmoid(x: Array) -> Array:
    half: Array = np.tanh(x * np.float32(0.5)) * np.float32(0.5)
    return half + np.float32(0.5)
