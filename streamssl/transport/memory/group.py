"""A consumer group inside the process: members, who holds what, positions."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(eq=False)
class Member:
    """One process in a group; a newer process of the same instance takes its place."""

    app: str
    topic: str
    instance: int


@dataclass
class Group:
    """Members, who holds what, and positions."""

    members: dict[int, Member] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    incarnations: dict[int, int] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    producer_epochs: dict[int, int] = field(default_factory=dict)

    def assign(self, partition: int, instance: int) -> None:
        """Give a partition to an instance: a new incarnation, even if it held it before."""
        self.owners[partition] = instance
        self.incarnations[partition] = self.incarnations.get(partition, 0) + 1

    def rebalance(self, num_partitions: int) -> None:
        """Equal shares, and no partition moves that need not."""
        self.owners = {p: i for p, i in self.owners.items() if i in self.members}
        if not self.members:
            return
        for partition in range(num_partitions):
            loads = {i: list(self.owners.values()).count(i) for i in sorted(self.members)}
            least = min(loads, key=loads.__getitem__)
            owner = self.owners.get(partition)
            if owner is None or loads[owner] > loads[least] + 1:
                self.assign(partition, least)
