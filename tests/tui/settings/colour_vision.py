"""How colours are seen: contrast by WCAG, distance in CIELAB, and simulated colour blindness."""

from math import dist

from textual.color import Color

Triple = tuple[float, float, float]

# Machado, Oliveira and Fernandes 2009, at full severity, on linear RGB.
_COLOUR_BLINDNESS = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_WHITE = (0.9505, 1.0, 1.089)


def contrast(one: Color, other: Color) -> float:
    """Return the WCAG contrast ratio: 1 for the same colour, 21 for black and white."""
    dark, light = sorted(_times(_XYZ, _linear(colour))[1] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def seen_by(blindness: str, colour: Color) -> Triple:
    """Return the colour as linear RGB, as seen with one kind of colour blindness."""
    red, green, blue = (min(max(value, 0.0), 1.0) for value in _times(_COLOUR_BLINDNESS[blindness], _linear(colour)))
    return red, green, blue


def colour_distance(one: Triple, other: Triple) -> float:
    """Return the distance of two colours in CIELAB; 2.3 is just noticeable."""
    return dist(_lab(one), _lab(other))


def _linear(colour: Color) -> Triple:
    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4

    return linear(colour.r), linear(colour.g), linear(colour.b)


def _times(matrix: tuple[Triple, ...], vector: Triple) -> Triple:
    x, y, z = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return x, y, z


def _lab(linear: Triple) -> Triple:
    def bent(share: float) -> float:
        return share ** (1 / 3) if share > 0.008856 else 7.787 * share + 16 / 116

    x, y, z = (bent(value / white) for value, white in zip(_times(_XYZ, linear), _WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)
