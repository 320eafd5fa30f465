"""The broker, the configuration, the probes."""

from __future__ import annotations

from streamssl.telemetry.log_events.table import Table

TRANSPORT: Table = {
    "broker_away": (
        "WARNING",
        "trouble with the broker: {error}",
        "error",
        "Requests to the broker fail for over a second, and are tried again; one line an outage.",
    ),
    "broker_back": (
        "WARNING",
        "the broker answers again, after {seconds} s",
        "seconds num_failures error",
        "The end of that outage: its length, its failures, the last of them.",
    ),
    "transaction_settled": (
        "INFO",
        "settled transaction {seq} after {error}: {outcome}",
        "seq error outcome",
        "A commit's answer was lost; the journal told whether it had landed.",
    ),
    "partitions_begin": (
        "INFO",
        "partitions that the group has no position of begin at {positions}",
        "positions",
        "A new group, or a partition that appeared: partition -> first offset "
        "(`input.start`; what appears later begins at its first message).",
    ),
    "partitions_left": (
        "INFO",
        "partitions {partitions} left this instance before their results landed",
        "partitions",
        "A rebalance took them; their new owner scores those messages.",
    ),
    "hanging_transaction_ended": (
        "WARNING",
        "ended a transaction of {transactional_id} that hung in {place}: {outcome}",
        "transactional_id place outcome",
        "An earlier process of this instance died inside a commit.",
    ),
    "hanging_transactions_unknown": (
        "WARNING",
        "no hanging transactions can be looked for in {place}: {error}",
        "place error",
        "The broker does not let this user look.",
    ),
    "waiting_for_transaction": (
        "INFO",
        "waiting for {place}, which an open transaction may hide",
        "place",
        "Reading stands until the broker ends somebody's transaction.",
    ),
    "not_closed": (
        "WARNING",
        "not closed in order: {error}",
        "error",
        "A client of the broker could not say goodbye.",
    ),
}

OTHERS: Table = {
    "setting_renamed": (
        "WARNING",
        "{old} is now {new}; the old name goes with the next version",
        "",
        "The configuration uses an old name.",
    ),
    "probe_client_gone": (
        "DEBUG",
        "a telemetry client went away",
        "",
        "A scrape or probe was cut off.",
    ),
    "probe_failed": (
        "ERROR",
        "a telemetry request failed",
        "",
        "The line has its `exception`.",
    ),
}
