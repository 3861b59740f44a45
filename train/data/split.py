"""Split of people into training and validation."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence


def joined(links: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Group items that share any mark (a person, a folder), directly or transitively.

    Args:
        links: item -> its marks.

    Returns:
        item -> name of its group (its smallest mark).
    """
    parent: dict[str, str] = {}

    def root(mark: str) -> str:
        parent.setdefault(mark, mark)
        while parent[mark] != mark:
            parent[mark] = parent[parent[mark]]
            mark = parent[mark]
        return mark

    for marks in links.values():
        roots = sorted(root(mark) for mark in marks)
        for other in roots[1:]:
            parent[other] = roots[0]
    return {item: min(root(mark) for mark in marks) for item, marks in links.items()}


def validation_groups(groups: Sequence[str], share: float) -> set[str]:
    """Choose groups for validation: by a hash, small ones first, until ``share`` of the clips is reached.

    Groups larger than a fifth of all clips are never chosen: a data set that is one big group would be lost.

    Args:
        groups: the group of every clip.
        share: wanted share of all clips, 0..1.
    """
    size: dict[str, int] = defaultdict(int)
    for group in groups:
        size[group] += 1
    order = sorted(size, key=lambda group: hashlib.sha256(group.encode()).hexdigest())
    taken: set[str] = set()
    count = 0
    for group in order:
        if count >= share * len(groups):
            break
        if size[group] <= max(1, len(groups) // 5):
            taken.add(group)
            count += size[group]
    return taken if len(taken) < len(size) else set()
