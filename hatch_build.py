"""Hatchling's hook: a wheel, or an editable install, compiles the sequential loops first.

Without a compiler it is a wheel for every platform, with NumPy in their place.
"""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeBuildHook(BuildHookInterface[Any]):
    """Compiles `streamssl/native/source`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tag the wheel with the platform that the library is of."""
        # By its path: what is built here may be neither installed nor importable yet.
        native = runpy.run_path(str(Path(self.root, "streamssl", "native", "build.py")))
        try:
            library = native["build"]()
        except native["CompilerError"] as error:
            self.app.display_warning(f"not compiled, NumPy does the work: {error}")
            return
        if version == "standard":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["artifacts"].append(library.relative_to(self.root).as_posix())
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"
