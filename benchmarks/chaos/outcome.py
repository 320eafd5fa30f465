"""What a scenario found: promises, each held or broken, and figures."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Promise:
    """One thing that must hold.

    Attributes:
        text: What was promised.
        held: Whether it was kept.
        measured: By what that was seen.
    """

    text: str
    held: bool
    measured: str


@dataclass
class ScenarioOutcome:
    """What a scenario did and found.

    Attributes:
        did: The fault, with its counts.
        promises: What had to hold.
    """

    did: str = ""
    promises: list[Promise] = field(default_factory=list)

    def expect(self, text: str, held: bool, measured: object) -> None:
        """Note a promise and whether it held."""
        self.promises.append(Promise(text, bool(held), str(measured)))

    def broken(self) -> list[str]:
        """The promises that did not hold, each with what was measured."""
        return [f"{p.text}: {p.measured}" for p in self.promises if not p.held]
