"""Gathers what a Python program needs of the image it is built in: ``python rootfs.py ROOT FOLDER...``.

The interpreter with its standard library, the shared libraries that it and the FOLDERs load, certificates and user
names; no shell, no package manager. FOLDERs come along whole. Of the Debian packages that files are taken from, the
licence and the entry in the list of packages come too, so that a scanner for vulnerabilities finds them (in
``status.d``, as in the distroless images). Knows neither the service nor the trainer.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

SETTINGS = (
    "/etc/debian_version",
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/ssl/certs/ca-certificates.crt",
)
UNUSED = (
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tkinter",
    "turtledemo",
)
USERS = {
    "passwd": "root:x:0:0:root:/root:/sbin/nologin\necg:x:10001:10001:ecg:/tmp:/sbin/nologin\n",
    "group": "root:x:0:\necg:x:10001:\n",
}
DPKG = Path("/var/lib/dpkg")


def main(root: Path, folders: list[Path]) -> None:
    """Fill ``root``, which need not exist yet."""
    interpreter, library = Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))
    _link_as_here(root)
    for folder in (library, *folders):
        shutil.copytree(folder, _below(root, folder), symlinks=True, ignore=_left_out(library))
    libraries = _shared_libraries(interpreter, folders)
    files = [interpreter, *libraries, *filter(Path.exists, map(Path, SETTINGS))]
    for file in files:
        _copy(file, root)
    for name, content in USERS.items():
        _below(root, Path("/etc") / name).write_text(content)
    _below(root, Path("/tmp")).mkdir(mode=0o1777)  # noqa: S108 - of the image
    _below(root, Path("/tmp")).chmod(0o1777)  # noqa: S108 - mkdir's mode went through the umask
    _describe_packages(files, root)


def _link_as_here(root: Path) -> None:
    """Make /lib, /lib64 and so on the links that they are here."""
    root.mkdir(parents=True)
    for path in Path("/").iterdir():
        if path.is_symlink():
            (root / path.name).symlink_to(path.readlink())
            (root / path.readlink()).mkdir(parents=True, exist_ok=True)


def _left_out(library: Path) -> Callable[[str, list[str]], set[str]]:
    def ignored(folder: str, names: list[str]) -> set[str]:
        unused = UNUSED if Path(folder) == library else ()
        return {name for name in names if name == "__pycache__" or name in unused}

    return ignored


def _shared_libraries(interpreter: Path, folders: list[Path]) -> set[Path]:
    """All that the interpreter, its extension modules and the FOLDERs' load from outside the FOLDERs."""
    extensions = [Path(sysconfig.get_path("platstdlib")), *folders]
    loading = [interpreter, *(path for folder in extensions for path in folder.rglob("*.so*") if path.is_file())]
    listed = subprocess.run(["ldd", *loading], capture_output=True, text=True, check=False).stdout  # noqa: S603, S607
    words = (word for line in listed.splitlines() if line.startswith("\t") for word in line.split())
    paths = {Path(word) for word in words if word.startswith("/")}
    return {path for path in paths if not any(path.resolve().is_relative_to(folder) for folder in folders)}


def _copy(file: Path, root: Path) -> None:
    target = _below(root, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, target)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _describe_packages(files: Iterable[Path], root: Path) -> None:
    wanted = {_without_usr(path) for file in files for path in (file, file.resolve())}
    packages = {name for name, paths in _package_files() if wanted & paths}
    for entry in (DPKG / "status").read_text().split("\n\n") if packages else ():
        name = entry.split("\n", 1)[0].removeprefix("Package: ")
        if name in packages:
            _below(root, DPKG / "status.d").mkdir(parents=True, exist_ok=True)
            _below(root, DPKG / "status.d" / name).write_text(entry + "\n")
            _copy(Path("/usr/share/doc") / name / "copyright", root)


def _package_files() -> Iterator[tuple[str, set[str]]]:
    for listing in (DPKG / "info").glob("*.list"):
        yield listing.stem.split(":")[0], {_without_usr(Path(line)) for line in listing.read_text().splitlines()}


def _without_usr(path: Path) -> str:
    """The same name for /lib/x and /usr/lib/x: package lists have either, for the same file."""
    return os.fspath(path).removeprefix("/usr")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
