"""What became of the state: the folder, checkpoints, recovery."""

from __future__ import annotations

from streamssl.telemetry.log_events.table import Table

STATE: Table = {
    "state_carried": (
        "INFO",
        "begun from {path}: networks, statistics and calibration go on, and by their names what "
        "was learnt of {num_keys} keys; such a key is warming for its first window of events "
        "only, any other as in a fresh state",
        "path num_keys",
        "`--init-from` was used: the state folder holds no checkpoint yet.",
    ),
    "migrated": (
        "INFO",
        "the state's channels were changed by `streamssl checkpoint migrate`: kept {kept}; new "
        "{new}; gone {gone}; every key warms up once more",
        "kept new gone",
        "A migrated state is started on; at every start until a checkpoint is saved after it. 20 "
        "names are listed of each.",
    ),
    "state_missing": (
        "WARNING",
        "the state folder {state_dir} holds no state, but the journal has a history (up to record "
        "{seq}, epoch {epoch}): begins afresh with what journal and input still give, as "
        "app.on_missing_state: fresh says",
        "state_dir seq epoch",
        "The folder was lost or is another one, and the start is confirmed; with `fail` the "
        "start ends with exit code 4 instead.",
    ),
    "state_owner_unwritable": (
        "WARNING",
        "cannot note in {path} whose state it is: {error}",
        "path error",
        "The state folder takes no file; another instance's folder would not be noticed.",
    ),
    "gap": (
        "ERROR",
        "learning has a gap: {why}",
        "cause why change",
        "Journal or input do not lead to the present: the daemon goes on from the state that it "
        "has. `cause`: `state_old`, `state_ahead`, `state_other`, `other_topic`, "
        "`input_expired`, `input_differs`, `journal_broken`.",
    ),
    "rebased": (
        "WARNING",
        "another build or configuration: going on from the recomputed state",
        "change",
        "Recovery under another `environment` gave other bits, as it may.",
    ),
    "state_other": (
        "ERROR",
        "the state folder is not the one that published journal record {seq}: it was lost and "
        "begun afresh meanwhile, or it is a copy of another time; going on from this one",
        "seq epoch change",
        "The loaded state differs from the one that scored the next transaction, before anything "
        "was recomputed.",
    ),
    "not_deterministic": (
        "ERROR",
        "the recomputed state differs from the one that published, under the same build and "
        "configuration: hardware or a library is not deterministic; going on from the recomputed "
        "state",
        "change",
        "Recovery learnt the same events and got other bits.",
    ),
    "checkpoint_saved": (
        "DEBUG",
        "checkpoint saved, {num_bytes} bytes in {seconds} s",
        "num_bytes seconds journal_position",
        "A checkpoint was written.",
    ),
    "checkpoint_failed": (
        "ERROR",
        "checkpoint failed, going on without it",
        "",
        "A checkpoint could not be written; the line has its `exception`.",
    ),
    "checkpoint_corrupt": (
        "WARNING",
        "checkpoint is corrupt, trying the previous one: {error}",
        "error",
        "The newest checkpoint is not what was saved (`checkpoint.on_corruption: previous`).",
    ),
    "checkpoint_unusable": (
        "WARNING",
        "a checkpoint cannot be used: {error}",
        "error",
        "`replay --journal` looks for another one.",
    ),
    "lock_unwritable": (
        "WARNING",
        "cannot note in {path} who holds it: {error}",
        "path error",
        "The state folder is locked, but full.",
    ),
    "attempts_unwritable": (
        "WARNING",
        "cannot note in {path} what is tried: {error}",
        "path error",
        "A message that kills the process would be found later.",
    ),
}
