"""What mends an input that could not be read: of each reason, the setting or what to send."""

from __future__ import annotations

_CODEC = "set input.codec to what the producer writes (json or arrow), or mend the producer"
REMEDIES = {
    "empty": "a message without a value has no event in it; where that is no tombstone on "
    "purpose, mend the producer",
    "too_large": "raise input.max_message_bytes or input.max_events_per_message, or send less a "
    "message",
    "too_deep": "send events as flat objects",
    "bad_json": _CODEC,
    "bad_csv": "save the file as UTF-8, with as many cells a line as columns",
    "bad_arrow": _CODEC,
    "wrong_type": "send numbers as numbers, or leave the field out with input.ignore_fields",
    "missing_field": "send the field, or set modality.required: false; input.time_field and "
    "input.key_field name those of time and key",
    "wrong_count": "send as many values as the stream's first event had, or begin another stream "
    "(app.name)",
    "not_finite": "send null for a value that is missing, or leave the field out with "
    "input.ignore_fields",
    "bad_time": "name the field with the event time in input.time_field, or leave that setting "
    "out to take the record's timestamp",
    "bad_key": "name the field with the key in input.key_field, or raise input.max_key_bytes",
    "poison": "the process died at it: please report it; its bytes are in the dead letter topic",
}


def remedy(reason: str) -> str:
    """What to do about dead letters of a reason."""
    return REMEDIES.get(reason, "see the dead letter topic")
