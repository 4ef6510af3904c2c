"""A reliability diagram (Niculescu-Mizil 2005) as SVG: stated probabilities against how often there was an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE, MARGIN = 320, 56


def reliability_svg(rows: Sequence[tuple[float, float, int]], error: float) -> str:
    """The diagram of (mean probability, share answered, questions) rows; a circle's area is its number of questions."""
    most = max(count for _, _, count in rows)
    questions = sum(count for _, _, count in rows)
    far = MARGIN + SIDE
    size = f'viewBox="0 0 {far + 24} {far + 24}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>Reliability: expected calibration error {error:.3f} over {questions} held-out questions</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<path d="M{MARGIN} 24V{SIDE + 24}H{far}" fill="none" stroke="#444"/>',
        f'<path d="M{MARGIN} {SIDE + 24}L{far} 24" stroke="#999" stroke-dasharray="5 5"/>',
    ]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = MARGIN + SIDE * tick, 24 + SIDE * (1 - tick)
        parts += [
            f'<text x="{x:g}" y="{SIDE + 42}" text-anchor="middle">{tick:g}</text>',
            f'<text x="{MARGIN - 8}" y="{y + 4:g}" text-anchor="end">{tick:g}</text>',
        ]
    for stated, answered, count in rows:
        x, y = MARGIN + SIDE * stated, 24 + SIDE * (1 - answered)
        radius = 4 + 12 * (count / most) ** 0.5
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#2563eb" fill-opacity=".65">'
            f"<title>stated {stated:.2f}, answered {answered:.2f}, {count} questions</title></circle>"
        )
    across, down = MARGIN + SIDE / 2, 24 + SIDE / 2
    parts += [
        f'<text x="{across:g}" y="{SIDE + 64}" text-anchor="middle">probability that the reader states</text>',
        f'<text transform="translate(16 {down:g}) rotate(-90)" text-anchor="middle">share that the text answers</text>',
        f'<text x="{MARGIN + 10}" y="40" fill="#444">ECE {error:.3f}, {questions} questions</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
