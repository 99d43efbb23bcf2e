"""The pages for people: whole in themselves, and fit for the strict content policy."""

import re

import httpx
import pytest

from service.app import INTENDED_USE
from service.routes.web import WEB_FOLDER

PAGES = ["/", "/docs"]
FILES = sorted(path.name for path in WEB_FOLDER.iterdir() if path.suffix != ".jpg")
SVG = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize("path", PAGES)
def test_pages_load_what_they_name_and_only_from_here(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    for address in re.findall(r'(?:src|href)="([^"]*)"', response.text):
        if not address.startswith("data:"):
            assert not re.match(r"[a-z]+:|/", address), "a relative address works behind a proxy's prefix as well"
            assert client.get(f"/{address.removeprefix('.')}").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_no_inline_script_or_style(client: httpx.Client, path: str) -> None:
    text = client.get(path).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert re.findall(r"<script[^>]*>(.*?)</script>", text) == [""]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("span", ["bytes=0-1", "bytes=99999999-", "nonsense"])
def test_pages_are_sent_whole_whatever_range_is_asked_for(client: httpx.Client, path: str, span: str) -> None:
    response = client.get(path, headers={"Range": span})
    assert (response.status_code, response.text) == (200, client.get(path).text)


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_another_host_or_builds_html_from_text(name: str) -> None:
    text = (WEB_FOLDER / name).read_text().replace(SVG, "the namespace, which nothing is fetched from")
    assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text)


def test_modules_import_files_that_are_there(client: httpx.Client) -> None:
    for name in FILES:
        for imported in re.findall(r'from "\./([^"]*)"', (WEB_FOLDER / name).read_text()):
            response = client.get(f"/web/{imported}")
            assert response.headers["content-type"].partition(";")[0] == "text/javascript"


def test_intended_use_is_on_the_page_and_in_the_api(client: httpx.Client) -> None:
    assert INTENDED_USE == "Decision support for research; not a certified medical device."
    assert INTENDED_USE in client.get("/").text
    assert client.get("/openapi.json").json()["info"]["description"] == INTENDED_USE


def test_labels_belong_to_their_fields(client: httpx.Client) -> None:
    text = client.get("/").text
    for field in re.findall(r"<label for=\"(\w+)\"", text):
        assert f'id="{field}"' in text
    assert 'aria-live="polite"' in text


def test_answers_and_problems_are_announced_once(client: httpx.Client) -> None:
    text = client.get("/").text
    for section in ("problem", "answer"):
        assert f'<section id="{section}" tabindex="-1"' in text, "the script moves the focus there"
    assert re.findall(r'id="([^"]*)"[^>]*role="alert"', text) == ["key-problem"]


def test_no_script_keeps_a_key() -> None:
    scripts = "".join(path.read_text() for path in WEB_FOLDER.glob("*.js"))
    assert not re.search("localStorage|sessionStorage|indexedDB|cookie =", scripts)


def test_the_interface_describes_the_upload(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/classify"]["post"]
    assert set(operation["requestBody"]["content"]) >= {"multipart/form-data", "image/jpeg", "image/png"}
    assert "HTTPValidationError" not in str(operation)


def test_the_interface_describes_all_that_its_page_shows(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    sent = [operation["requestBody"]["content"] for operation in operations if "requestBody" in operation]
    answered = [response["content"] for operation in operations for response in operation["responses"].values()]
    assert all("schema" in body for content in (*sent, *answered) for body in content.values())
    assert all(answered), "the script looks at the first of each"
    assert all(operation["summary"] and operation["description"] for operation in operations)
