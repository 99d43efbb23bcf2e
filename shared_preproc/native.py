"""The compiled part of the preprocessing: how it is made of the C files here, and how it is found.

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

__all__ = ["NATIVE", "compile_native"]

_HERE = Path(__file__).parent
_SOURCES = sorted(_HERE.glob("*.c"))
_WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
_CODE = ("-std=c11", "-O3", "-fPIC", "-shared", "-s")
_EXACT = "-ffp-contract=off"  # the same bits on processors that could multiply and add in one step
_GLIBC = "2.28"  # or a later one, whatever the machine has that compiles
_WIDE = "avx2"
"""What processors have since 2013, but not all that a virtual machine makes up: a build of its own."""
_DIGEST = "sources_sha256"


def compile_native() -> None:
    """Compile all that this machine, or one with a lesser processor, may load.

    Raises:
        subprocess.CalledProcessError: the compiler says no, or this Python has none.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # Last the one that `make` looks at.
        for kind in (_WIDE, "") if platform.machine() == "x86_64" else ("",):
            _compile(kind, Path(scratch))


def _compile(kind: str, scratch: Path) -> None:
    library = _library(kind)
    made, digest = scratch / library.name, scratch / "digest.c"
    digest.write_text(f'const char {_DIGEST}[] = "{_sources_sha256()}";\n')
    target = ["-target", f"{platform.machine()}-linux-gnu.{_GLIBC}"] if sys.platform == "linux" else []
    processor = [f"-mcpu={platform.machine()}+{kind}"] if kind else []
    command = [sys.executable, "-m", "ziglang", "cc", *target, *processor, *_WARNINGS, *_CODE, _EXACT, "-o", str(made)]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(scratch), "ZIG_LOCAL_CACHE_DIR": str(scratch)}
    subprocess.run([*command, str(digest), *map(str, _SOURCES)], check=True, env=os.environ | caches)  # noqa: S603 - our own
    beside = library.with_name(f".{library.name}.{os.getpid()}")
    beside.write_bytes(made.read_bytes())
    beside.replace(library)  # at once: another process may be loading it


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
        f"shared_preproc/{library.name} {why}: run `make native`, or shared_preproc/native.py by a Python that has "
        f"the package of requirements/compiler.txt"
    )


if __name__ == "__main__":
    compile_native()
else:
    NATIVE = _load(_kind())
