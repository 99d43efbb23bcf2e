"""The page's script, run by Node.js on a page that is only pretended: what a person reads when something fails."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from service.routes.web import WEB_FOLDER

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="NEEDS NODE.JS to run the page's script")

PRETENDED_PAGE = """
const made = {};
const node = () => ({
  textContent: "", hidden: true, children: [], focused: 0,
  append(...more) { this.children.push(...more); }, replaceChildren(...all) { this.children = all; },
  setAttribute() {}, focus() { this.focused += 1; },
  addEventListener(_, listener) { this.listener = listener; },
});
const byId = (id) => (made[id] ??= node());
globalThis.document = { getElementById: byId, createElement: node };
globalThis.FormData = class { append() {} };
const rejected = [];
process.on("unhandledRejection", (reason) => rejected.push(String(reason)));

const ANSWERS = {
  reset: () => Promise.reject(new TypeError("Failed to fetch")),
  proxy: () => Promise.resolve(new Response("<html>Too large</html>", { status: 413 })),
  locked: () => Promise.resolve(Response.json({ code: "unauthorized", title: "Locked" }, { status: 401 })),
  refused: () => Promise.resolve(Response.json({ title: "Refused", remedy: "Other" }, { status: 422 })),
  incomplete: () => Promise.resolve(Response.json({})),
  none: () => Promise.resolve(Response.json({ models: [] })),
  referred: () => Promise.resolve(Response.json({
    predicted_class: "normal", probabilities: { normal: 0.6 }, leads: [], decision: "referred",
    reasons: [{ code: "uncertain", message: "Not sure." }, { code: "beats_apart", message: "Beats apart." }],
    model: { name: "tiny", version: "1" }, image: { format: "PNG", width_px: 1, height_px: 1 },
    timings_ms: { total: 1 }, request_id: "1",
  })),
};
const [models, classified] = process.argv.slice(2).map((name) => ANSWERS[name]);
const asked = [];
globalThis.fetch = (address, { headers }) => {
  asked.push(`${address} ${headers.Authorization}`);
  return address === "models" ? models() : classified();
};
byId("key-field").hidden = true;
byId("key").value = "";

await import("./classify.js");
await new Promise((done) => setTimeout(done, 20));
const listed = byId("status").textContent;
const keyAsked = !byId("key-field").hidden;
byId("key").value = process.argv[4] ?? "";
await byId("key").listener();
const button = node();
const form = { model: { value: "" }, file: { files: [{}] }, querySelector: () => button };
const submitted = byId("upload").listener({ preventDefault() {}, currentTarget: form });
await submitted.catch((fault) => rejected.push(`thrown: ${fault.name}`));
const [title, remedy] = ["problem-title", "problem-remedy"].map((id) => byId(id).textContent);
const focused = byId("problem").focused + byId("answer").focused;
const decision = byId("decision").textContent;
const reasons = byId("reasons").children.map((reason) => reason.children[0]);
const waiting = button.disabled;
console.log(JSON.stringify({ listed, title, remedy, decision, reasons, focused, waiting, rejected, asked, keyAsked }));
"""


def shown(folder: Path, *, models: str = "none", classified: str = "refused", key: str = "") -> dict[str, Any]:
    shutil.copytree(WEB_FOLDER, folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "page.js").write_text(PRETENDED_PAGE)
    command = [str(NODE), "page.js", models, classified, key]
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, timeout=60)
    read: dict[str, Any] = json.loads(result.stdout)
    assert read["waiting"] is False
    assert read["focused"] == 1
    return read


def test_a_refusal_is_shown_in_the_services_words(tmp_path: Path) -> None:
    read = shown(tmp_path)
    assert (read["title"], read["remedy"], read["listed"], read["rejected"]) == ("Refused", "Other", "", [])


@pytest.mark.parametrize("classified", ["reset", "proxy"])
def test_an_answer_that_does_not_arrive_is_explained_by_the_connection_and_the_size(
    tmp_path: Path, classified: str
) -> None:
    read = shown(tmp_path, classified=classified)
    assert read["title"] == "No answer of the service arrived"
    assert "far too large" in read["remedy"]
    assert read["rejected"] == []


def test_an_answer_comes_with_its_decision_and_the_reasons(tmp_path: Path) -> None:
    read = shown(tmp_path, classified="referred")
    assert (read["title"], read["rejected"]) == ("", [])
    assert "a person has to look" in read["decision"]
    assert read["reasons"] == ["Not sure.", "Beats apart."]


def test_a_fault_of_the_page_is_not_blamed_on_the_service(tmp_path: Path) -> None:
    read = shown(tmp_path, classified="incomplete")
    assert read["title"] == "This page failed"
    assert read["rejected"] == ["thrown: TypeError"], "it has to reach the browser's console"


@pytest.mark.parametrize("models", ["reset", "proxy", "refused"])
def test_models_that_cannot_be_listed_are_told(tmp_path: Path, models: str) -> None:
    read = shown(tmp_path, models=models)
    assert "cannot be listed" in read["listed"]
    assert read["rejected"] == []


def test_a_service_that_asks_for_no_key_is_asked_without(tmp_path: Path) -> None:
    read = shown(tmp_path)
    assert read["keyAsked"] is False
    assert read["asked"] == ["models undefined"] * 2 + ["classify undefined"]


def test_a_service_that_asks_for_a_key_gets_the_one_that_is_typed_in(tmp_path: Path) -> None:
    read = shown(tmp_path, models="locked", classified="referred", key=" ecg_abc ")
    assert read["keyAsked"] is True
    assert read["listed"] == "This service asks for a key."
    assert read["asked"] == ["models undefined", "models Bearer ecg_abc", "classify Bearer ecg_abc"]


def test_no_script_keeps_a_key() -> None:
    scripts = "".join(path.read_text() for path in WEB_FOLDER.glob("*.js"))
    assert not re.search("localStorage|sessionStorage|indexedDB|cookie =", scripts)
