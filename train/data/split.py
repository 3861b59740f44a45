"""Which people are trained on and which are not."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence


def joined(links: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Group items that share any mark (a person, a folder), directly or through others.

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
    """Groups to keep out of training: small ones first come, by a hash, until ``share`` of the clips is in.

    No group larger than a fifth of all clips is taken: a data set that is one big group would be lost.

    Args:
        groups: the group of every clip.
        share: wanted part of all clips, 0..1.
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
