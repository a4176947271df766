"""A scatter of named points as an SVG file: no package draws it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM = 560, 400, 64, 56


def scatter(
    path: Path, points: Mapping[str, tuple[float, float]], axes: tuple[str, str], chance: float | None = None
) -> None:
    """Write points (x, y), both shares, by name; a line at the height of chance."""
    xs, ys = zip(*points.values(), strict=True)
    low, high = (int(min(xs) * 20) / 20, (int(max(xs) * 20) + 1) / 20)
    top = (int(max(ys) * 10) + 1) / 10

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - low) / (high - low) * (WIDTH - LEFT - 120),
            HEIGHT - BOTTOM - y / top * (HEIGHT - BOTTOM - 20),
        )

    (left, base), (right, ceiling) = place(low, 0), place(high, top)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>{escape(axes[1])} against {escape(axes[0])}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{left:.1f} {ceiling:.1f}V{base:.1f}H{right:.1f}" fill="none" stroke="#555"/>',
        f'<text x="{(left + right) / 2:.0f}" y="{HEIGHT - 14}" text-anchor="middle">{escape(axes[0])}</text>',
        f'<text transform="translate(18 {(base + ceiling) / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(axes[1])}</text>",
    ]
    for k in range(5):
        x, y = low + k / 4 * (high - low), k / 4 * top
        parts.append(f'<text x="{place(x, 0)[0]:.1f}" y="{base + 18:.1f}" text-anchor="middle">{x:.3g}</text>')
        parts.append(f'<text x="{left - 8:.1f}" y="{place(low, y)[1] + 4:.1f}" text-anchor="end">{y:.3g}</text>')
    if chance is not None:
        height = place(low, chance)[1]
        parts.append(
            f'<path d="M{left:.1f} {height:.1f}H{right:.1f}" stroke="#555" stroke-dasharray="4 4"/>'
            f'<text x="{right + 6:.1f}" y="{height + 4:.1f}">chance</text>'
        )
    for name, (x, y) in points.items():
        across, up = place(x, y)
        parts.append(
            f'<circle cx="{across:.1f}" cy="{up:.1f}" r="5" fill="#1f5fa8"/>'
            f'<text x="{across + 9:.1f}" y="{up + 4:.1f}">{escape(name)}</text>'
        )
    path.write_text("\n".join([*parts, "</svg>", ""]))
