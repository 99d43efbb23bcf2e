"""Compile the preprocessing when a wheel is built; an editable install leaves that to `make native`."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["NativeBuildHook"]

_NATIVE = Path("shared_preproc", "native.py")


class NativeBuildHook(BuildHookInterface[Any]):
    """What hatchling asks before it packs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the wheel after the platform that it is for."""
        if version == "editable":
            return
        runpy.run_path(str(Path(self.root, _NATIVE)), run_name="__main__")
        build_data["artifacts"].append("shared_preproc/libpreproc*.so")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
