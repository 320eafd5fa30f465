"""Quix Streams, exactly once: JSON in, JSON out, with river's HalfSpaceTrees or nothing between.

The task is a JSON object on the command line: `bootstrap`, `input`, `output`, `events`, `state`
(a folder), `detector`: `none`, `hst` (behind MinMaxScaler, as river's documentation asks) or
`hst-bare`. One model for all keys. Settings are the library's defaults.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from quixstreams import Application
from river import anomaly, preprocessing

Value = dict[str, Any]


def detector(name: str) -> Callable[[Value], Value]:
    """Scores an event, then learns it."""
    if name == "none":
        return lambda value: value
    model: Any = anomaly.HalfSpaceTrees(seed=1)
    if name == "hst":
        model = preprocessing.MinMaxScaler() | model

    def score(value: Value) -> Value:
        found = model.score_one(value)
        model.learn_one(value)
        return {"score": found}

    return score


def main() -> None:
    """Let the application run until it has processed every event, and time that."""
    task = json.loads(sys.argv[1])
    application = Application(
        broker_address=task["bootstrap"],
        consumer_group=f"quix-{uuid4().hex[:8]}",
        processing_guarantee="exactly-once",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        state_dir=task["state"],
        loglevel="ERROR",
    )
    source = application.topic(task["input"], value_deserializer="json")
    sink = application.topic(task["output"], value_serializer="json")
    frame = application.dataframe(source).apply(detector(task["detector"])).to_topic(sink)
    began_s = time.perf_counter()
    application.run(frame, count=task["events"], collect=False)
    seconds = time.perf_counter() - began_s
    sys.stdout.write(json.dumps({"events": task["events"], "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
