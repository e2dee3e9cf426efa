"""One-pixel lines, pixel for pixel as Pillow draws them, without asking at each pixel whether it is
inside the picture.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel


@inlined
def _span(start, step, length, size):
    """The k of 0 … length for which start + k * step (step ±1) is in 0 … size - 1, as first and
    last; empty if first > last.
    """
    if step > 0:
        return max(0, -start), min(length, size - 1 - start)
    return max(0, start - size + 1), min(length, start)


@inlined
def _minor_span(inside, major, minor):
    """The k for which the minor axis, which has moved (2 minor k + major) // (2 major) by then, is
    inside its own span.
    """
    first, last = inside
    from_k = 0 if first == 0 else (2 * major * first - major + 2 * minor - 1) // (2 * minor)
    return from_k, (2 * major * (last + 1) - major - 1) // (2 * minor)


@inlined
def draw_line(x0, y0, x1, y1, size, value, canvas):
    """Draw the line between two pixels on the flattened `size` × `size` canvas; what lies outside
    is cut off, not moved.

    Bresenham's line from start to end, both drawn; a tie between the axes goes to y, a tie between
    pixels to the step. Pixel k lies (2 m k + M) // (2 M) steps along the minor axis (m, M: lengths
    of the axes), so the visible k are known before drawing.
    """
    dx, dy = x1 - x0, y1 - y0
    step_x, step_y = (1 if dx > 0 else -1), (1 if dy > 0 else -1)
    dx, dy = abs(dx), abs(dy)
    columns = _span(x0, step_x, dx, size)
    rows = _span(y0, step_y, dy, size)
    if columns[0] > columns[1] or rows[0] > rows[1]:
        return
    if dx > dy:
        major, minor, major_step, minor_step = dx, dy, step_x, step_y * size
        (first, last), across = columns, rows
    else:
        major, minor, major_step, minor_step = dy, dx, step_y * size, step_x
        (first, last), across = rows, columns
    if across[0] > 0 or across[1] < minor:
        from_k, to_k = _minor_span(across, major, minor)
        first, last = max(first, from_k), min(last, to_k)
    moved = (2 * minor * first + major) // (2 * major) if first > 0 else 0
    cell = y0 * size + x0 + first * major_step + moved * minor_step
    error = 2 * minor * (first + 1) - major - 2 * major * moved
    straight, bend = 2 * minor, 2 * minor - 2 * major
    for _ in range(first, last + 1):
        canvas[np.uint64(cell)] = value
        turn = error >= 0
        cell += major_step + minor_step if turn else major_step
        error += bend if turn else straight


@kernel("void(i8[:,::1], i8, u1, u1[::1])")
def draw_lines(ends, size, value, canvas):
    """Draw the lines of `ends` (n, 4), columns x0 y0 x1 y1, in one gray level."""
    for i in range(ends.shape[0]):
        draw_line(ends[i, 0], ends[i, 1], ends[i, 2], ends[i, 3], size, value, canvas)


@inlined
def draw_polygon(x, y, shift_x, shift_y, size, value, canvas):
    """Draw the closed outline through the vertices `x`, `y` (n,) + shift, truncated towards zero,
    in one gray level.
    """
    last = x.size - 1
    x0, y0 = np.int64(x[last] + shift_x), np.int64(y[last] + shift_y)
    for v in range(x.size):
        x1, y1 = np.int64(x[v] + shift_x), np.int64(y[v] + shift_y)
        draw_line(x0, y0, x1, y1, size, value, canvas)
        x0, y0 = x1, y1
