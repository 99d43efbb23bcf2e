"""The first start on an empty volume: the registry is whole whenever anyone looks, and is never touched again."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model_registry.registry import Registry
from tests.conftest import REPOSITORY
from tests.deploy_static.manifests import Pod, one, rendered

SHIPPED = REPOSITORY / "models"
SCRIPT = REPOSITORY / "k8s" / "components" / "registry" / "seed_registry.py"
TIMEOUT_S = 60


def seed(target: Path) -> str:
    """What the init container does: the script from one folder, the packages from another; gives what it logs."""
    command = [sys.executable, "-W", "error", str(SCRIPT), str(SHIPPED), str(target)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, env=environment, cwd=target, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    return done.stderr


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_an_empty_volume_gets_what_is_shipped(tmp_path: Path) -> None:
    assert seed(tmp_path) == "registry: copied crnn/1, fusion/5\n"
    assert Registry(tmp_path).aliases() == Registry(SHIPPED).aliases()
    assert Registry(tmp_path).load("production").manifest == Registry(SHIPPED).load("production").manifest
    # A lock, hidden, stays in a checkout in which someone has promoted a bundle.
    shipped = {name: data for name, data in content(SHIPPED).items() if not name.startswith((".", "cnn/"))}
    assert content(tmp_path) == shipped
    before = content(tmp_path)
    assert seed(tmp_path) == "registry: left as it is\n"
    assert content(tmp_path) == before


def test_a_registry_of_the_sites_own_stays_as_it_is(tmp_path: Path) -> None:
    seed(tmp_path)
    Registry(tmp_path).promote("crnn/1")
    before = content(tmp_path)
    assert seed(tmp_path) == "registry: left as it is\n"
    assert content(tmp_path) == before


def test_one_that_was_killed_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / "crnn").mkdir()
    (tmp_path / ".scratch-0").mkdir()
    (tmp_path / ".scratch-0" / "model.onnx").write_bytes(b"half")
    seed(tmp_path)
    assert {bundle.ref for bundle in Registry(tmp_path).list().bundles} == {"crnn/1", "fusion/5"}


def test_pods_that_start_together_do_not_harm_each_other(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(seed, [tmp_path] * 3))
    assert Registry(tmp_path).load("production").manifest.ref == "fusion/5"
    assert not list(tmp_path.glob(".scratch-*"))
    assert not Registry(tmp_path).list().broken


def test_the_init_container_runs_it() -> None:
    pod = Pod(one("Deployment", rendered("overlays/cpu")))
    (init,) = pod.spec["initContainers"]
    assert init["image"] == pod.main["image"]
    assert init["command"] == ["python", "/seed/seed_registry.py", "/registry", "/volume"]
    mounts = {mount["name"]: mount["mountPath"] for mount in init["volumeMounts"]}
    assert mounts == {"registry": "/volume", "seed": "/seed"}
    (config,) = (volume["configMap"]["name"] for volume in pod.spec["volumes"] if volume["name"] == "seed")
    assert one("ConfigMap", rendered("overlays/cpu"), config)["data"] == {"seed_registry.py": SCRIPT.read_text()}
