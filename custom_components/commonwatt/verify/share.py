"""The community's share, worked out once more from the anonymous list: what is split, and how remainders fall."""

from collections.abc import Sequence


def local_wh(energies_wh: Sequence[int], *, traded: bool) -> list[int]:
    """Return what each takes (positive) from the others of these energies, given in the order that settles ties.

    The smaller of demand and supply is traded whole; the larger is split by size, the largest remainders first.
    """
    demand = [max(energy, 0) for energy in energies_wh]
    supply = [max(-energy, 0) for energy in energies_wh]
    amount = min(sum(demand), sum(supply)) if traded else 0
    return [taken - given for taken, given in zip(split(amount, demand), split(amount, supply), strict=True)]


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Split a whole amount by whole weights, nothing lost; equal remainders go to whoever stands first."""
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    parts = [amount * weight // total for weight in weights]
    ranked = sorted(range(len(weights)), key=lambda at: (-(amount * weights[at] % total), at))
    for at in [at for at in ranked if weights[at]][: amount - sum(parts)]:
        parts[at] += 1
    return parts
