"""Compile the C files of this folder and load the result.

    python shared_preproc/native.py

compiles with Zig, if this Python has the package `ziglang`, else with the machine's C compiler. It needs nothing but
Python, so it runs before anything of ours is installed. Why: docs/decisions/0009-native.md.
"""

import ctypes
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["GLIBC", "NATIVE", "compile_native"]

GLIBC = "2.28"
"""The oldest glibc that what Zig compiles runs on; wheels are named after it."""

_HERE = Path(__file__).parent
_SOURCES = sorted(_HERE.glob("*.c"))
_WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
_CODE = ("-std=c11", "-O3", "-fPIC", "-shared", "-s")
_EXACT = "-ffp-contract=off"  # the same bits on processors that could multiply and add in one step
_WIDE = "avx2"
"""An extension that x86 processors have had since 2013. Some virtual machines hide it, so it is a build of its own."""
_DIGEST = "sources_sha256"


def compile_native() -> None:
    """Compile every build that a machine like this one may load.

    Raises:
        FileNotFoundError: there is no C compiler.
        subprocess.CalledProcessError: the compiler failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # The build that `make` looks at comes last.
        for kind in (_WIDE, "") if platform.machine() == "x86_64" else ("",):
            _compile(kind, Path(scratch))


def _compile(kind: str, scratch: Path) -> None:
    library = _library(kind)
    made, digest = scratch / library.name, scratch / "digest.c"
    digest.write_text(f'const char {_DIGEST}[] = "{_sources_sha256()}";\n')
    command = [*_compiler(kind), *_WARNINGS, *_CODE, _EXACT, "-o", str(made), str(digest), *map(str, _SOURCES), "-lm"]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(scratch), "ZIG_LOCAL_CACHE_DIR": str(scratch)}
    subprocess.run(command, check=True, env=os.environ | caches)  # noqa: S603 - our own
    beside = library.with_name(f".{library.name}.{os.getpid()}")
    beside.write_bytes(made.read_bytes())
    beside.replace(library)  # at once: another process may be loading it


def _compiler(kind: str) -> list[str]:
    """The command of the C compiler, told the processor to compile for."""
    if importlib.util.find_spec("ziglang"):
        target = ["-target", f"{platform.machine()}-linux-gnu.{GLIBC}"] if sys.platform == "linux" else []
        processor = [f"-mcpu={platform.machine()}+{kind}"] if kind else []
        return [sys.executable, "-m", "ziglang", "cc", *target, *processor]
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if found is None:
        raise FileNotFoundError("no C compiler: install gcc or clang, or the package of requirements/compiler.txt")
    return [found, *([f"-m{kind}"] if kind else [])]


def _library(kind: str) -> Path:
    return _HERE / ("-".join(filter(None, ("libpreproc", kind))) + ".so")


def _load(kind: str) -> ctypes.CDLL:
    """Load one build, which lets go of the interpreter's lock while it is at work.

    Raises:
        ImportError: it is not there, or was made of other sources.
    """
    library, digest = _library(kind), _sources_sha256().encode()
    try:
        native = ctypes.CDLL(str(library))
    except OSError as error:
        raise _unusable(library, "is not there, or not for this machine") from error
    if (ctypes.c_char * len(digest)).in_dll(native, _DIGEST).raw != digest:
        raise _unusable(library, "was made of other sources")
    return native


def _kind() -> str:
    """The build for this machine's processor."""
    flags = Path("/proc/cpuinfo")
    wide = platform.machine() == "x86_64" and flags.exists() and f" {_WIDE} " in flags.read_text()
    return _WIDE if wide else ""


def _sources_sha256() -> str:
    return hashlib.sha256(b"".join(source.read_bytes() for source in _SOURCES)).hexdigest()


def _unusable(library: Path, why: str) -> ImportError:
    return ImportError(
        f"shared_preproc/{library.name} {why}: run `make native`, or `python shared_preproc/native.py` where there is "
        f"a C compiler or the package of requirements/compiler.txt"
    )


if __name__ == "__main__":
    try:
        compile_native()
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(f"native: {error}")
else:
    NATIVE = _load(_kind())
