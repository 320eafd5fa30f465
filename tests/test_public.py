"""The package's own names, and `python -m streamssl`."""

from __future__ import annotations

import subprocess
import sys

import pytest

import streamssl
from streamssl.version import __version__


@pytest.mark.parametrize("name", streamssl.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    """What stands in `__all__` is there, and `dir` lists it."""
    namespace: dict[str, object] = {}
    exec(f"from streamssl import {name}", namespace)
    assert namespace[name] is getattr(streamssl, name)
    assert name in dir(streamssl)


def test_what_is_not_there_is_an_attribute_error() -> None:
    """With the name that was asked for."""
    with pytest.raises(AttributeError, match="Nothing"):
        getattr(streamssl, "Nothing")  # noqa: B009 - mypy knows that it is not there


def test_the_package_is_a_command() -> None:
    """`python -m streamssl` is the command line, and loads no torch to say its version."""
    code = "import sys; sys.argv = ['x', '--version']\nimport runpy\ntry:\n"
    code += "    runpy.run_module('streamssl', run_name='__main__')\n"
    code += "except SystemExit as end:\n    print(end.code, 'torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert __version__ in ran.stdout
    assert ran.stdout.splitlines()[-1] == "0 False"
