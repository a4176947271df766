"""Events, the plain way: frames are looked at one by one, matchings are all tried. Imports no limen."""

import math


def filtered(values, width):
    half, n = width // 2, len(values)
    padded = [-math.inf] * half + list(values) + [-math.inf] * half
    return [sorted(padded[i : i + width])[half] for i in range(n)]


def detected(values, edges, width, low, high, gap, shortest):
    """Events (onset, offset) of one label in one recording; times are whole microseconds."""
    values, found, start = filtered(values, width), [], None
    for i, value in enumerate([*values, -math.inf]):
        inside = value >= low and i < len(values)
        if inside and start is None:
            start = i
        if not inside and start is not None:
            if max(values[start:i]) >= high:
                found.append((edges[start], edges[i]))
            start = None
    closed = []
    for onset, offset in found:
        if closed and onset - closed[-1][1] <= gap:
            closed[-1] = (closed[-1][0], offset)
        else:
            closed.append((onset, offset))
    return [(a, b) for a, b in closed if b - a >= shortest]


def collar(found, known, onset=200_000, offset=200_000, ratio=0.2):
    """tp, pp: the most pairs of all matchings."""

    def hits(d, r):
        slack = max(offset, round(ratio * (r[1] - r[0])))
        return abs(d[0] - r[0]) <= onset and abs(d[1] - r[1]) <= slack

    def most(i, free):
        if i == len(found):
            return 0
        best = most(i + 1, free)
        for r in free:
            if hits(found[i], r):
                best = max(best, 1 + most(i + 1, [other for other in free if other != r]))
        return best

    return most(0, known), len(found)


def intersection(found, known, dtc=0.5, gtc=0.5):
    def shared(a, b):
        return max(min(a[1], b[1]) - max(a[0], b[0]), 0)

    right = [d for d in found if sum(shared(d, r) for r in known) >= round(dtc * (d[1] - d[0]))]
    tp = sum(sum(shared(d, r) for d in right) >= round(gtc * (r[1] - r[0])) for r in known)
    return tp, tp + len(found) - len(right)


def segment(found, known, duration, length=1_000_000):
    tp = pp = 0
    for s in range(-(-duration // length)):
        begin, end = s * length, (s + 1) * length
        given, true = (any(a < end and b > begin for a, b in events) for events in (found, known))
        tp, pp = tp + (given and true), pp + given
    return tp, pp
