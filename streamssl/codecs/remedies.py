"""What mends an input that could not be read: of each reason, the setting or what to send."""

from __future__ import annotations

from streamssl.data.events import DeadLetter

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
    "missing_field": "send the field, or set modality.required: false",
    "wrong_count": "send as many values as the stream's first event had, or begin another stream "
    "(app.name)",
    "not_finite": "send null for a value that is missing, or leave the field out with "
    "input.ignore_fields",
    "bad_time": "name the field with the event time in input.time_field, or leave that setting "
    "out to take the record's timestamp",
    "bad_key": "name the field with the key in input.key_field, or raise input.max_key_bytes",
    "poison": "the process died at it: please report it; its bytes are in the dead letter topic",
}
# Where more is known of a fault than its reason.
OBJECT = "send one JSON object a message, of several events a message each"
NUMBER_AS_TEXT = "set input.numbers_as_text: true, or send numbers as numbers"
TEXT = "send text, a number or null there"
OTHER_FIELDS = (
    "send these fields, or name those of the events in modality.fields; a state of other channels "
    "is taken along by `streamssl checkpoint migrate`"
)
UNDECIDED = (
    "send numbers in fields of their own, name the paths of nested ones in modality.fields and an "
    "array of them in input.values_field, or set input.numbers_as_text: true"
)
# Of the fields that are no columns, by the settings that name them.
ROLES = {
    "time_field": "send a time in every event, name the field that has it in input.time_field, or "
    "leave that setting out to take the record's timestamp",
    "key_field": "send a text or a whole number in every event, name the field that has it in "
    "input.key_field, or leave that setting out to take the record's key",
    "values_field": "send an array of numbers in every event, name the field that has it in "
    "input.values_field, or leave that setting out where each number is a field of its own",
}


def remedy(reason: str) -> str:
    """What to do about dead letters of a reason."""
    return REMEDIES.get(reason, "see the dead letter topic")


def remedy_of(letter: DeadLetter) -> str:
    """What to do about a dead letter: its own remedy, else that of its reason."""
    return letter.remedy or remedy(letter.reason)
