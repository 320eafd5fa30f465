"""The life of the process, from its start to its end."""

from __future__ import annotations

from streamssl.telemetry.log_events.table import Table

ENGINE: Table = {
    "starting": (
        "INFO",
        "streamssl {version} starts as instance {instance} of {app}, on the topic {topic}",
        "version config_hash app instance topic modality state_dir delivery_mode loops",
        "The process begins, before the broker is asked. `config_hash` is the same as long as "
        "every setting is (secrets left out). `loops`: `compiled`, or that NumPy does the work of "
        "the compiled loops, and why: as well, but slower.",
    ),
    "telemetry": (
        "INFO",
        "probes and metrics on {address}",
        "address",
        "The port is open (`telemetry.enabled`).",
    ),
    "recovering": (
        "INFO",
        "state from: {state}; {num_records} journal records are to be applied",
        "state path epoch seq journal_position num_records",
        "The state is loaded: from a `checkpoint` (`path`), from `initial` (`--init-from`) or "
        "from nothing (`fresh`); `seq` is the last journal record that it contains.",
    ),
    "recovery_progress": (
        "INFO",
        "recovered {events} events so far",
        "events seconds",
        "Every 30 s of a long recovery.",
    ),
    "recovered": (
        "INFO",
        "recovered {events} events in {seconds} s",
        "events num_records seconds epoch gap",
        "The state is where the journal ends; with a `gap` some of it could not be learnt.",
    ),
    "started": (
        "INFO",
        "streamssl {version} goes on in epoch {epoch}, after journal record {seq} (state from: "
        "{state})",
        "version config_hash environment app instance topic state epoch seq channels "
        "num_channels texts space positions",
        "All that the start decided, in one line. `channels` is null where the first events have "
        "yet to decide them (see `channels`); `positions`: partition -> next offset, of the "
        "partitions whose state is held; `environment` as in the journal.",
    ),
    "phase": (
        "INFO",
        "{before} -> {after}",
        "before after",
        "The lifecycle goes on: `recovering`, `warming` (keys are not calibrated yet), "
        "`running`, `draining`.",
    ),
    "partitions": (
        "INFO",
        "holds {num_held} partitions, {num_came} came, {num_left} left",
        "held num_held num_came num_left lag",
        "Partitions came to or left this instance; `lag` is what waits in those held.",
    ),
    "degraded": (
        "WARNING",
        "degraded ({problem}): {reason}",
        "problem reason",
        "A problem began, which `/status` names, too.",
    ),
    "mended": (
        "INFO",
        "no longer degraded ({problem})",
        "problem",
        "That problem is over.",
    ),
    "draining": (
        "INFO",
        "{signal}: publishes what is in hand, saves the last end of an epoch, and ends",
        "signal",
        "A signal asks for the end.",
    ),
    "forced_end": (
        "WARNING",
        "ending without waiting for the drain",
        "",
        "A second signal, or a drain that took too long; the next start recovers.",
    ),
    "drained": (
        "INFO",
        "drained: {events} events scored, {dead_letters} dead letters, {incidents} incidents; the "
        "state is saved up to epoch {saved_epoch}, and the next start reads {unsaved} events again",
        "events dead_letters transactions epochs samples_trained anomalies incidents recovered "
        "accepted muted missed saved_epoch unsaved seconds channels num_channels left_out "
        "new_fields absent vanished warnings bad_fields warming keys keys_warming first_time "
        "last_time drifts last_drift spaces last_space",
        "The last line of an orderly end: the sums of the run.",
    ),
    "failed": (
        "ERROR",
        "{error}",
        "error exit_code",
        "The daemon ends; the text says what to mend.",
    ),
    "defect": (
        "ERROR",
        "unexpected error: this is a defect, please report it with the lines above",
        "",
        "An exception that nobody foresaw; the line has its `exception`.",
    ),
    "lines_held_back": (
        "INFO",
        "{num} more lines of the kind {kind} in the last minute",
        "kind num",
        "A kind of line reached its limit of a minute.",
    ),
}
