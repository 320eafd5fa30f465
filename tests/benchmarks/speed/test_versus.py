"""Two revisions side by side: what the ratios say, and whose package a process imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from benchmarks.speed import versus
from benchmarks.speed.versus import Figures, imported_from, report


def test_a_faster_revision_has_ratios_over_one() -> None:
    """Twice the events a second, and half the processor time an event."""
    base, here = Figures([100.0, 90.0], [20.0, 30.0]), Figures([200.0, 180.0], [10.0, 15.0])
    text = report("x", base, here)
    assert "events a second: best 2.000, median of pairs 2.000" in text
    assert "processor time an event: best 2.000, median of pairs 2.000" in text
    assert "here 10.0, base 20.0" in text


def test_a_process_imports_from_its_tree(tmp_path: Path) -> None:
    """Not from the folder that it runs in, and only inside the block."""
    package = tmp_path / "streamssl" / "cli"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "app.py").write_text("def main():\n    print(__file__)\n")
    before = os.environ.get("PYTHONPATH")
    with imported_from(tmp_path):
        ran = subprocess.run(
            [sys.executable, *versus.ENTRY], capture_output=True, text=True, check=True
        )
    assert ran.stdout.strip() == str(package / "app.py")
    assert os.environ.get("PYTHONPATH") == before


def test_processor_time_counts_children_too() -> None:
    """The learner works in a process of its own."""
    work = "import time\nwhile time.process_time() < .2: pass\n"
    wait = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {work!r} + 'input()'])"
    with subprocess.Popen([sys.executable, "-c", wait], stdin=subprocess.PIPE) as process:
        try:
            family = psutil.Process(process.pid)
            while not family.children():
                pass
            child = family.children()[0]
            while sum(child.cpu_times()[:2]) < 0.1:
                pass
            assert versus._cpu_s(family) >= 0.1
        finally:
            process.communicate(b"\n")
