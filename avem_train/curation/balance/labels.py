"""How many clips of each label may stay, so that no label is more frequent than in the source (Fig. 7)."""

from collections.abc import Mapping

_ROUNDING = 1e-9


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Label -> its part of all."""
    total = sum(counts.values())
    return {label: count / total for label, count in counts.items()} if total else {}


def target(counts: Mapping[str, int], source: Mapping[str, int]) -> dict[str, float]:
    """The share that each label ought to have: the source's, among the labels that there are."""
    return shares({label: source.get(label, 0) for label, count in counts.items() if count})


def matched(counts: Mapping[str, int], source: Mapping[str, int], tolerance: float) -> dict[str, int]:
    """Label -> how many of its clips stay: as many in all as can.

    No label's share is above its target by more than the tolerance, or by more than one clip where that is more. Labels
    that are too rare stay so: no clips can be added.
    """
    wanted = target(counts, source)
    present = {label: count for label, count in counts.items() if count}
    total = sum(present.values())
    while (room := sum(allowed(present, wanted, total, tolerance).values())) < total:
        total = max(room, 0)
    return _taken(allowed(present, wanted, total, tolerance), wanted, total)


def allowed(counts: Mapping[str, int], wanted: Mapping[str, float], total: int, tolerance: float) -> dict[str, int]:
    """The most clips of each label that may be among `total`."""
    extra = max(tolerance * total, 1.0) + _ROUNDING
    return {label: min(count, int(wanted[label] * total + extra)) for label, count in counts.items()}


def _taken(limits: Mapping[str, int], wanted: Mapping[str, float], total: int) -> dict[str, int]:
    """`total` clips within the limits: those above are taken from the labels that are furthest above their target."""
    left = dict(limits)
    for _ in range(sum(left.values()) - total):
        left[max(left, key=lambda label: left[label] - wanted[label] * total if left[label] else -1.0 - total)] -= 1
    return left
