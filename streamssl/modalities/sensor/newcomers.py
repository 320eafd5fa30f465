"""Keys that join a mature fleet: their first statistics, event by event, by empirical Bayes.

A newcomer's rows count at once (in blocks), not at the epoch's end: in a small fleet an epoch has
hundreds of them.

B = events, K = keys of a batch, N = newcomers of a batch, C = channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from streamssl.arithmetic.first_blocks import BLOCK_ENDS, turns
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.modalities.sensor.fleet_moments import FleetMoments
from streamssl.modalities.sensor.normaliser import STATISTICS, YOUNG_BOUND, Normaliser
from streamssl.modalities.sensor.origins import Origins

# docs/research-log.md, "Constants of the arithmetic"
NEW_ROWS = BLOCK_ENDS[-1]  # events of a key, after which it has the statistics that it learnt
ROOM = 4.0  # deviations at which a value is cut off before it counts, from the second block on


class Joined(NamedTuple):
    """The newcomers of a batch after it, not yet written.

    Attributes:
        slots: Of their keys.
        running_N3C: Count, sum and sum of squares of the values so far.
        standing_N3C: The same when the last block ended: what rows are measured against.
    """

    slots: IntArray
    running_N3C: FloatArray
    standing_N3C: FloatArray


class Newcomers:
    """First statistics of the keys whose first event came when the fleet was mature.

    Args:
        num_channels: C.

    Attributes:
        fleet: What is known of the mature keys.
    """

    def __init__(self, *, num_channels: int) -> None:
        self.fleet = FleetMoments(num_channels=num_channels)
        row = (3, num_channels)
        self.columns = KeyColumns(
            joined=((), np.bool_, 0),
            running=(row, np.float64, 0.0),
            standing=(row, np.float64, 0.0),
        )

    def joined(self, slots: IntArray, age_K: IntArray) -> BoolArray:
        """`[K]` which keys joined a mature fleet, those whose first event is still to come too."""
        joined_K: BoolArray = self.columns["joined"][slots]
        return joined_K | (age_K == 0) if self.fleet.is_mature else joined_K

    def read(
        self,
        runs: Runs,
        joined_K: BoolArray,
        age_K: IntArray,
        values_BC: FloatArray,
        origin_KC: FloatArray,
        center_BC: FloatArray,
        scale_BC: FloatArray,
    ) -> Joined | None:
        """Overwrite the centers and scales of newcomers' first 512 rows; keeps nothing.

        Args:
            runs: How the rows fall to keys.
            joined_K: Of `joined`.
            age_K: Events of each key before the batch.
            values_BC: Values about their keys' origins, NaN = missing.
            origin_KC: The origins.
            center_BC: Means of the rows' keys, about their origins.
            scale_BC: Their deviations.

        Returns:
            The newcomers after the batch; None where there are none.
        """
        keys = np.flatnonzero(joined_K & (age_K < NEW_ROWS))
        if not len(keys):
            return None
        columns, slots = self.columns, runs.slots[keys]
        after = Joined(slots, columns["running"][slots], columns["standing"][slots])
        walk = _Walk(self.fleet, after, age_K[keys], origin_KC[keys])
        place_K = np.full(len(runs.slots), -1)
        place_K[keys] = np.arange(len(keys))
        place_B = place_K[runs.group]
        for turn in turns(runs, (place_B >= 0) & (age_K[runs.group] + runs.rank < NEW_ROWS)):
            new = place_B[turn]
            center_BC[turn], scale_BC[turn] = walk.center_NC[new], walk.scale_NC[new]
            walk.add(new, values_BC[turn])
        return after

    def write(self, after: Joined | None) -> None:
        """Move on to what `read` returned."""
        if after is not None:
            self.columns["joined"][after.slots] = True
            self.columns["running"][after.slots] = after.running_N3C
            self.columns["standing"][after.slots] = after.standing_N3C

    def learn(self, normaliser: Normaliser, origins: Origins) -> None:
        """Look at the fleet anew, where enough was learned since the last time."""
        if self.fleet.is_due(normaliser.num_rows):
            count, mean, variance = (normaliser.columns[name] for name in STATISTICS)
            level = mean + origins.of(np.arange(len(mean)))
            self.fleet.learn(normaliser.num_rows, count, level, variance)

    def state_dict(self) -> dict[str, Any]:
        """Every newcomer's sums, and the fleet's moments."""
        return {"columns": self.columns.state_dict(), "fleet": self.fleet.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state["columns"])
        self.fleet.load_state_dict(state["fleet"])


class _Walk:
    """Row after row of each newcomer; its statistics stand within a block, and move at its end.

    Sums grow value by value, so that no bit depends on how polls cut the stream.
    """

    def __init__(
        self, fleet: FleetMoments, after: Joined, age_N: IntArray, origin_NC: FloatArray
    ) -> None:
        self._fleet, self._after = fleet, after
        self._age_N, self._origin_NC = age_N.copy(), origin_NC
        self.center_NC, self.scale_NC = self._statistics(np.arange(len(age_N)))

    def _statistics(self, new: IntArray) -> tuple[FloatArray, FloatArray]:
        sums_3NC = self._after.standing_N3C[new].transpose(1, 0, 2)
        return self._fleet.shrunk(sums_3NC, self._origin_NC[new])

    def add(self, new: IntArray, values_TC: FloatArray) -> None:
        """Count one row of each of some newcomers."""
        known_TC = self._after.standing_N3C[new, 0] > 0.0
        # The origin is the median of three values: no reading among the first moves it far.
        center_TC = np.where(known_TC, self.center_NC[new], 0.0)
        room_TC = np.where(known_TC, ROOM, YOUNG_BOUND) * self.scale_NC[new]
        bounded_TC = np.clip(values_TC, center_TC - room_TC, center_TC + room_TC)
        value_TC, running_N3C = np.nan_to_num(bounded_TC, nan=0.0), self._after.running_N3C
        running_N3C[new, 0] += ~np.isnan(values_TC)
        running_N3C[new, 1] += value_TC
        running_N3C[new, 2] += value_TC * value_TC
        self._age_N[new] += 1
        due = new[np.isin(self._age_N[new], BLOCK_ENDS)]
        if len(due):
            self._after.standing_N3C[due] = running_N3C[due]
            self.center_NC[due], self.scale_NC[due] = self._statistics(due)
