"""The builds of the compiled part, each in the place of the one that is loaded here."""

import platform
from collections.abc import Iterator

import pytest

from shared_preproc import columns, masks, native, traces


@pytest.fixture(scope="module", params=["", "avx2"])
def build(request: pytest.FixtureRequest) -> Iterator[None]:
    """One build after the other."""
    if request.param and native._kind() != request.param:
        pytest.skip(
            f"NOT TESTED: the build for processors with {request.param}; needs one, this is {platform.machine()}"
        )
    library = native._load(request.param)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (masks, "_BINARIZE"),
            (traces, "_TRACE_LEADS"),
            (columns, "_INK_COLUMNS"),
            (columns, "_NEAREST_STRETCH"),
        ):
            loaded = getattr(module, name)
            function = getattr(library, loaded.__name__)
            function.argtypes, function.restype = loaded.argtypes, loaded.restype
            patch.setattr(module, name, function)
        yield
