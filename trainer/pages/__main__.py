"""Train the two networks that find and read lead names, on drawn patches.

    python -m trainer.pages ptbxl-100hz.npz.xz [--finder-patches 8000] [--reader-patches 7000] [--into digitize]

Takes about a quarter of an hour on one core; writes name-finder.onnx and name-reader.onnx.
"""

import argparse
import io
import lzma
from pathlib import Path

import numpy as np

from trainer.pages.name_network import finder_graph, reader_graph, train_finder, train_reader
from trainer.pages.name_patches import draw_crops, draw_patches

_CURVES = 6000
_FINDER_EPOCHS, _READER_EPOCHS = 4, 6
_SEED = 11


def main() -> None:
    """Draw, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("signals", type=Path, help="PTB-XL at 100 Hz, packed")
    parser.add_argument("--finder-patches", type=int, default=8000)
    parser.add_argument("--reader-patches", type=int, default=7000)
    parser.add_argument("--into", type=Path, default=Path("digitize"))
    asked = parser.parse_args()
    signals_uv = np.load(io.BytesIO(lzma.decompress(asked.signals.read_bytes())))["signal_uv"]
    curves_mv = signals_uv.reshape(-1, signals_uv.shape[-1])[:_CURVES].astype(np.float32) / 1000
    finder = train_finder(draw_patches(asked.finder_patches, curves_mv, _SEED), _FINDER_EPOCHS, seed=_SEED)
    (asked.into / "name-finder.onnx").write_bytes(finder_graph(finder))
    reader = train_reader(draw_crops(asked.reader_patches, curves_mv, _SEED + 1), _READER_EPOCHS, seed=_SEED)
    (asked.into / "name-reader.onnx").write_bytes(reader_graph(reader))


if __name__ == "__main__":
    main()
