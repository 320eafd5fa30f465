"""The count that proves exactly-once: each acknowledged input message has one result.

It is for messages of one event each. Input and results take a byte a message each, so that half
an hour at full speed can be counted.
"""

from streamssl.devkit.delivery.counter import DeliveryCounter, DeliveryTally
from streamssl.devkit.delivery.inputs import Acknowledged, InputLog
from streamssl.devkit.delivery.log import DeliveryLog
from streamssl.devkit.delivery.places import (
    Place,
    by_partition,
    place_of_dead_letter,
    place_of_id,
)

__all__ = [
    "Acknowledged",
    "DeliveryCounter",
    "DeliveryLog",
    "DeliveryTally",
    "InputLog",
    "Place",
    "by_partition",
    "place_of_dead_letter",
    "place_of_id",
]
