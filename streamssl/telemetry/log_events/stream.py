"""What the stream was: learning, incidents, what could not be read."""

from __future__ import annotations

from streamssl.telemetry.log_events.table import Table

STREAM: Table = {
    "channels": (
        "INFO",
        "{num_channels} channels by {decided_by}, {num_left_out} fields are left out",
        "num_channels channels num_left_out left_out decided_by",
        "The channels are known; `left_out`: field -> why it is none.",
    ),
    "framed": (
        "WARNING",
        "messages are framed by a schema registry (byte 0 and the id {schema_id}); the JSON behind "
        "the frame is read",
        "schema_id",
        "The first framed message with JSON behind the frame.",
    ),
    "field_new": (
        "WARNING",
        "a new field is no channel: {field}; where it holds numbers, name it in modality.fields to "
        "have it, and change the state's channels with `streamssl checkpoint migrate`",
        "field",
        "A field came that the first events did not have; once a field, 64 at most.",
    ),
    "channel_absent": (
        "WARNING",
        "no event of the first epoch carries the channel {channel}: {hint}",
        "channel hint",
        "A channel of the configuration or the state may be misspelt; `hint`: the names that come "
        "near, else those of the events. Once a channel, 64 at most.",
    ),
    "channel_vanished": (
        "WARNING",
        "a channel has no values any more: {channel}",
        "channel",
        "A channel was missing for much longer than it ever was; once a channel, 64 at most.",
    ),
    "keys": (
        "WARNING",
        "{warning}",
        "problem warning",
        "Keys defeat their purpose: `without_key`, `several_partitions` or `short_lived`; once "
        "each.",
    ),
    "times": (
        "WARNING",
        "{warning}",
        "problem warning",
        "Event times look like another clock's (`odd_times`), or in a file those of a key go back "
        "(`times_back`); once each.",
    ),
    "keys_muted": (
        "WARNING",
        "{num} keys spent their alert budget: nothing opens for them until some comes back, one "
        "incident in 1 / budget events",
        "num num_before",
        "More keys than before are muted: faults or noise fill their budget (`alerts.budget`).",
    ),
    "shifts_accepted": (
        "INFO",
        "{num} shifts were accepted as the new normal in epoch {epoch}",
        "num epoch",
        "Levels that lasted are what keys are compared with from now on.",
    ),
    "clock_stands": (
        "WARNING",
        "event time does not advance, so that {budget} cannot be kept: 0.001 of the events counts "
        "instead; set input.time_field, or give alerts.budget as a share",
        "budget",
        "A budget of incidents a day needs event times; once, until they advance again.",
    ),
    "training_burst": (
        "INFO",
        "the first training burst {state}: {burst_step} of {burst_steps} steps",
        "state epoch burst_step burst_steps num_trained losses",
        "The networks' first training `begins`, `goes on` (after a restart) or is `over`.",
    ),
    "epoch": (
        "DEBUG",
        "epoch {epoch}: {num_events} events, {num_learnt} learnt, {num_steps} steps",
        "epoch num_events num_learnt num_gated num_steps num_trained keys warmup_progress losses",
        "An epoch was learnt.",
    ),
    "learning_thinned": (
        "WARNING",
        "learns {percent} % of the events: {lag} messages wait, more than learn.thin_above_lag",
        "percent lag",
        "The lag thins learning, from now on.",
    ),
    "learning_whole": (
        "INFO",
        "learns every event again",
        "",
        "The lag is below `learn.thin_above_lag` again.",
    ),
    "space": (
        "INFO",
        "embeddings lie in the space {space} from epoch {epoch} on ({reason}), before: {previous}",
        "space previous epoch reason slices anchor_cosine anchor_cosine_unmapped",
        "The vectors changed their meaning; announced in `<app>.spaces`, too, with the maps that "
        "carry vectors over. `slices`: name -> first column, and the one after the last.",
    ),
    "drift": (
        "INFO",
        "{what} drifted: {before:.3g} before, {after:.3g} since (event time) {since}",
        "what epoch time since before after",
        "The scores (share of rows with a p-value of at most .01) or an objective's loss have "
        "another level, which lasts; announced in `<app>.spaces`, too. At most 10 lines a minute.",
    ),
    "incident": (
        "INFO",
        "incident {incident_state}: key {key}, field {top_field}, severity {severity}, score "
        "{score:.6g}",
        "incident_state incident_id key top_field event_time severity score threshold anomalies "
        "seconds",
        "An incident changed its state: `start`, `end`, or another state of the scores but "
        "`ongoing`. `severity`, `score`: the highest so far; `anomalies`, `seconds` (event time): "
        "since its start, as far as this process saw it (null where it did not see the start). "
        "At most 30 lines a minute.",
    ),
    "dead_letter": (
        "WARNING",
        "cannot read a message ({reason}: {detail}); {remedy}",
        "reason detail topic partition offset index sample remedy",
        "The first dead letter of a kind: a reason, and a detail but for its figures; 8 kinds "
        "of a reason at most. `sample`: the first 200 bytes, printable (null with "
        "`telemetry.log_samples: false`).",
    ),
    "dead_letters": (
        "WARNING",
        "{num} of {num_inputs} inputs were dead letters in the last minute: {reasons}; most often "
        "({num_commonest}): {detail}; {remedy}",
        "num num_inputs reasons num_commonest reason detail topic partition offset index sample "
        "remedy",
        "Once a minute while there are any; from `reason` on, the first of the commonest kind.",
    ),
    "input_missed": (
        "ERROR",
        "input expired before it was read: {change}",
        "change",
        "The topic's retention was shorter than the wait; the journal says the same.",
    ),
}
