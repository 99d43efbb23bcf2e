"""What is in the images, and what is not."""

import json
from importlib.metadata import distributions

import pytest

from service import __version__
from tests.deploy.conftest import IMAGES
from tests.deploy.stack import docker

pytestmark = pytest.mark.engine

SERVICE_LIMIT_BYTES = 450_000_000
INSTALLED = """
from importlib.metadata import distributions
print(*sorted({f"{one.name.lower().replace('_', '-').replace('.', '-')}=={one.version}" for one in distributions()}))
"""
NOT_NEEDED = ("sh", "bash", "apt", "dpkg", "perl", "curl", "wget", "pip", "ls", "cat")
FOUND = f"import shutil; print(*filter(shutil.which, {NOT_NEEDED!r}))"


def inside(image: str, program: str) -> str:
    """What a program says in the image, hardened as in docker-compose.yml."""
    return docker("run", "--rm", "--read-only", "--cap-drop=ALL", "--entrypoint", "python", image, "-c", program)


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest, image_prefix: str) -> str:
    return f"{image_prefix}/{request.param}:{__version__}"


def test_the_service_image_is_small(image_prefix: str) -> None:
    size = docker("image", "inspect", "-f", "{{.Size}}", f"{image_prefix}/service:{__version__}")
    assert int(size) <= SERVICE_LIMIT_BYTES


def test_the_labels_say_what_it_is(image: str) -> None:
    labels = json.loads(docker("image", "inspect", "-f", "{{json .Config.Labels}}", image))
    prefix = "org.opencontainers.image."
    assert {name.removeprefix(prefix) for name in labels} >= {"title", "version", "revision", "licenses"}
    assert labels[f"{prefix}version"] == __version__
    assert labels[f"{prefix}revision"] == "of-the-tests"
    assert labels[f"{prefix}licenses"] == "Apache-2.0"


def test_the_bill_of_materials_lists_what_is_installed(image: str) -> None:
    bill = json.loads(inside(image, "print(open('/app/sbom.cdx.json').read())"))
    assert bill["bomFormat"] == "CycloneDX"
    listed = {
        f"{one['name'].lower().replace('_', '-').replace('.', '-')}=={one['version']}" for one in bill["components"]
    }
    assert listed == set(inside(image, INSTALLED).split())
    assert len(listed) > 20


def test_the_bill_and_the_lock_agree(image: str) -> None:
    """Whatever the image has, it has in the version that the tests of this checkout ran with."""
    here = {one.name.lower().replace("_", "-").replace(".", "-"): one.version for one in distributions()}
    for one in inside(image, INSTALLED).split():
        name, _, version = one.partition("==")
        assert here.get(name, version) == version


def test_there_is_no_shell_and_no_package_manager(image: str) -> None:
    assert inside(image, FOUND).split() == []
    assert "ModuleNotFoundError" in inside(
        image, "try:\n import pip\nexcept ModuleNotFoundError as error:\n print(type(error).__name__)"
    )


def test_scanners_find_the_debian_packages(image: str) -> None:
    found = inside(image, "import os; print(*os.listdir('/var/lib/dpkg/status.d'))").split()
    assert {"libc6", "libssl3"} <= set(found)


def test_it_runs_as_nobody_special(image: str) -> None:
    assert docker("image", "inspect", "-f", "{{.Config.User}}", image).strip() == "10001:10001"
    owners = inside(
        image, "import os; print({os.stat(p).st_uid for p in ('/registry', '/registry/fusion/5/model.onnx')})"
    )
    assert owners.strip() == "{10001}"
