"""Compile the preprocessing when a wheel is built; an editable install leaves that to `make native`."""

import runpy
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["NativeBuildHook"]

_NATIVE = Path("shared_preproc", "native.py")


class NativeBuildHook(BuildHookInterface[Any]):
    """Put the compiled libraries into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile with Zig, and name the wheel after the platform: any Python 3 can load the libraries."""
        if version == "editable":
            return
        native = runpy.run_path(str(Path(self.root, _NATIVE)), run_name="__main__")
        build_data["artifacts"].append("shared_preproc/libpreproc*.so")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform(native['GLIBC'])}"


def _platform(glibc: str) -> str:
    """The platform tag of PEP 425 and 600."""
    platform = sysconfig.get_platform()
    if sys.platform == "linux":
        platform = platform.replace("linux", f"manylinux_{glibc}")
    return platform.replace("-", "_").replace(".", "_")
