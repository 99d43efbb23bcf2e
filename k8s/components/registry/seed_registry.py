"""``python seed_registry.py SOURCE TARGET``: give a registry that has no aliases yet the bundles of another one.

Runs before the service in every pod, so also several times at once, and can be killed at any time: a bundle appears
whole or not at all, and the aliases, which end it, come last. Knows the files of a registry, not what is in them.
"""

import shutil
import sys
from pathlib import Path

from model_registry.durable import claim_folder, replace_file, scratch_folder

ALIASES = "aliases.json"
HISTORY = "aliases-history.json"


def seed(source: Path, target: Path) -> list[str]:
    """Copy every bundle and then the aliases, unless there are aliases; return which bundles were copied.

    Raises:
        OSError: the source cannot be read, or the target cannot be written.
    """
    if (target / ALIASES).exists():
        return []
    copied = [ref for ref in _refs(source) if _copy(source / ref, target / ref)]
    for name in (HISTORY, ALIASES):
        replace_file(target / name, (source / name).read_bytes())
    return copied


def _refs(registry: Path) -> list[str]:
    return sorted(str(path.parent.relative_to(registry)) for path in registry.glob("*/*/manifest.json"))


def _copy(bundle: Path, to: Path) -> bool:
    if to.exists():
        return False
    with scratch_folder(to.parent.parent) as scratch:
        shutil.copytree(bundle, scratch, dirs_exist_ok=True, copy_function=shutil.copyfile)
        return claim_folder(scratch, to)


if __name__ == "__main__":
    refs = seed(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stderr.write(f"registry: {'copied ' + ', '.join(refs) if refs else 'left as it is'}\n")
