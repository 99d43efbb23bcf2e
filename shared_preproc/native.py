"""The compiled part of the preprocessing: how it is made of `tracing.c`, and where it is found. Knows no image.

    python shared_preproc/native.py

makes it, with the C compiler that the package `ziglang` brings, and with nothing else but Python: the program runs
before anything of ours is installed. `make` does so wherever it is needed. Why: docs/decisions/0009-native.md.
"""

import ctypes
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["LIBRARY", "SOURCE", "compile_library", "load_library"]

SOURCE = Path(__file__).with_name("tracing.c")
LIBRARY = SOURCE.with_suffix(".so")

_WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
_CODE = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-s")
_EXACT = "-ffp-contract=off"  # the same bits on processors that could multiply and add in one step
_LINUX = "-linux-gnu.2.28"  # with this glibc or a later one, whatever the machine that compiles has
_DIGEST = "source_sha256"
"""A string in the library: of which source it was made."""


def compile_library(library: Path = LIBRARY) -> None:
    """Compile `SOURCE`.

    Raises:
        subprocess.CalledProcessError: the compiler says no, or this Python has none.
    """
    target = ("-target", platform.machine() + _LINUX) if sys.platform == "linux" else ()
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, library.name)
        digest = f"-DSOURCE_SHA256={_source_sha256()}"
        command = [sys.executable, "-m", "ziglang", "cc", *target, *_WARNINGS, *_CODE, _EXACT, digest]
        caches = {"ZIG_GLOBAL_CACHE_DIR": scratch, "ZIG_LOCAL_CACHE_DIR": scratch}
        subprocess.run([*command, SOURCE, "-o", made], check=True, env=os.environ | caches)  # noqa: S603 - our own
        beside = library.with_name(f".{library.name}.{os.getpid()}")
        beside.write_bytes(made.read_bytes())
    beside.replace(library)  # at once: another process may be loading it


def load_library() -> ctypes.CDLL:
    """The library, which lets go of the interpreter's lock while it is at work.

    Raises:
        ImportError: it is not there, or was made of another source.
    """
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise _unusable("is not there, or not for this machine") from error
    digest = _source_sha256().encode()
    if (ctypes.c_char * len(digest)).in_dll(library, _DIGEST).raw != digest:
        raise _unusable(f"was made of another {SOURCE.name}")
    return library


def _source_sha256() -> str:
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()


def _unusable(why: str) -> ImportError:
    return ImportError(
        f"shared_preproc/{LIBRARY.name} {why}: run `make native`, or shared_preproc/native.py by a Python that has "
        f"the package of requirements/compiler.txt"
    )


if __name__ == "__main__":
    compile_library()
