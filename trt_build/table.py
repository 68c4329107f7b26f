"""Tables for the terminal and for documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Row = Sequence[str | int]


def plain(header: Sequence[str], rows: Iterable[Row]) -> str:
    """Columns under their headings; numbers to the right."""
    lines = [list(header), *([_told(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    right = [_numeric(column) for column in list(zip(*lines, strict=True))]
    told = (
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )
    return "\n".join(told)


def markdown(header: Sequence[str], rows: Iterable[Row]) -> str:
    """The same as a Markdown table."""
    lines = [[_told(cell) for cell in row] for row in rows]
    columns = list(zip(header, *lines, strict=True))
    rule = ["---:" if _numeric(column) else "---" for column in columns]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))


def _told(cell: str | int) -> str:
    return f"{cell:,}" if isinstance(cell, int) else cell


def _numeric(column: Sequence[str]) -> bool:
    cells = column[1:]
    return bool(cells) and all(cell.replace(",", "").isdigit() for cell in cells)
