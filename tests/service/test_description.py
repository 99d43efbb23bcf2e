"""The OpenAPI description against a real service process: whatever it allows is answered as it says (Schemathesis)."""

import os
import subprocess
import sys
from pathlib import Path

from service.auth.keys import new_key
from tests.service.process import environment, running

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 20
"""Generated requests of each route, beside those that cover its description."""
KEY, LINE = new_key("schemathesis")


def test_service_answers_as_its_description_says(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(LINE)
    with running(environment(models_dir, ECG_KEYS_FILE=str(tmp_path / "keys"))) as process:
        program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "--no-color", "run"]
        what = ["--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing"]
        limits = ["--max-examples", str(EXAMPLES), "--seed", "0", "--generation-database", "none"]
        finished = subprocess.run(
            [*program, *what, *limits, f"{process.url}/openapi.json"],
            check=False,
            env=os.environ | {"KEY": KEY},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        paths = process.client.get("/openapi.json").json()["paths"]
        operations = sum(len(methods) for methods in paths.values())
        assert finished.returncode == 0, finished.stdout[-8000:] + finished.stderr[-2000:]
        assert f"Tested: {operations}\n" in finished.stdout
        assert "internal_error" not in process.log
