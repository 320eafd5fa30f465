"""Compiles `source/` to a library beside this file: as a wheel is built, by `make`, or by hand.

`python -m streamssl.native.build`. It needs a C++ compiler: the system's, or `ziglang`. It is
read by the build hook (`hatch_build.py`) before anything is installed, so it imports no package.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# No flag may let a compiler change a rounding, or ask for a processor that not everybody has. The
# code needs no library, neither C++'s nor C's.
FLAGS = (
    *("-std=c++17", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-exceptions", "-fno-rtti"),
    *("-fPIC", "-shared", "-fvisibility=hidden"),
)
NO_LIBRARIES = ("-static-libgcc", "-Wl,--as-needed") if sys.platform == "linux" else ()


class CompilerError(Exception):
    """There is no compiler, or it failed; the text says which."""


def library_path() -> Path:
    """Where the library of these sources and flags is: another state of them has another name."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for source in _sources("*.*"):
        digest.update(source.name.encode() + source.read_bytes())
    name = f"kernels-{sys.platform}-{platform.machine().lower()}-{digest.hexdigest()[:12]}.so"
    return HERE / name


def build() -> Path:
    """Compile, and remove what was compiled from other sources.

    Raises:
        CompilerError: There is no compiler, or it failed; a library that is there stays.
    """
    library = library_path()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / library.name
        command = [*_compiler(), *FLAGS, *map(str, _sources("*.cpp")), "-o", str(made)]
        _run(command)
        # A process that has the old file loaded keeps it: replaced, not written over.
        beside = library.with_suffix(f".{os.getpid()}")
        shutil.copy(made, beside)
        beside.replace(library)
    for old in HERE.glob("kernels-*.so"):
        if old != library:
            old.unlink(missing_ok=True)
    return library


def _sources(pattern: str) -> list[Path]:
    return sorted((HERE / "source").glob(pattern))


def _compiler() -> list[str]:
    """The command that compiles: what `CXX` says, the system's compiler, or zig's."""
    if os.environ.get("CXX"):
        return shlex.split(os.environ["CXX"])
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name, *NO_LIBRARIES]
    if importlib.util.find_spec("ziglang"):
        # Without a target zig compiles for the very processor that it runs on.
        return [sys.executable, "-m", "ziglang", "c++", "-nostdlib", *_zig_target()]
    raise CompilerError("there is no C++ compiler (c++, g++, clang++, or `ziglang` from PyPI)")


def _zig_target() -> list[str]:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    system = {"linux": "linux", "darwin": "macos"}.get(sys.platform)
    return ["-target", f"{machine}-{system}"] if system else []


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    except FileNotFoundError as error:
        raise CompilerError(f"there is no compiler {command[0]!r}") from error
    except subprocess.CalledProcessError as error:
        raise CompilerError(f"{shlex.join(command)} failed:\n{error.stderr}") from error


def main() -> None:
    """Build where it has not been done; without a compiler say so, which is no error."""
    if library_path().exists():
        return
    try:
        sys.stdout.write(f"compiled {build().name}\n")
    except CompilerError as error:
        sys.stdout.write(f"not compiled, NumPy does the work: {error}\n")


if __name__ == "__main__":
    main()
