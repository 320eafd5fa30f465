"""Which script the demo plays for which modality."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from streamssl.demo.script import ScriptOpener
from streamssl.demo.sensor.plant import FIELDS
from streamssl.demo.sensor.stream import SensorScript

# `modality.kind` of the daemon's configuration -> script.
DEMOS: dict[str, ScriptOpener] = {"sensor": SensorScript}
# `modality.kind` -> numbers of its events.
DEMO_FIELDS: dict[str, tuple[str, ...]] = {"sensor": FIELDS}
DEFAULT_CONFIG = Path(str(files("streamssl.demo.sensor") / "demo.yaml"))
