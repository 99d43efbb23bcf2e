"""``python -m batch``: classify an archive of report pages, check the result, compare two models on it.

Exit codes: 0 done; 1 `verify` found something; 2 a wrong command, INPUT or setting; 3 a folder or bucket cannot be
read or written; 4 OUTPUT belongs to another run; 5 worker processes die; 6 done, but some pages could not be read;
130 or 143 stopped by a signal.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from batch.archive import ENGINES, classify_chunks
from batch.errors import PAGES_FAILED, BatchError, InputError, StorageError
from batch.index import Origin, ensure_index, make_index
from batch.pages import available_cpus, identify_model
from batch.run import CLAIMS, SUMMARY, Shard, open_run, start_run
from batch.sources import canonical
from batch.storage import open_storage
from batch.summary import summarize
from batch.verify import compare, problems

__all__ = ["main"]

_SETTINGS = (
    "The models and thresholds are those of the service: ECG_MODELS_DIR, ECG_SITE_POLICY and its other settings."
)
_STOPPED = "Stopped. Finished chunks are kept: run the same command to go on."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    signal.signal(signal.SIGTERM, _stop)
    try:
        return command(options)
    except BatchError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain(_STOPPED, 130)


def _index(options: argparse.Namespace) -> int:
    index = ensure_index(open_storage(options.output), _origin(options))
    _print(f"{index.pages} pages in {index.chunks} chunks")
    return 0


def _classify(options: argparse.Namespace) -> int:
    model, origin, shard = identify_model(options.model), _origin(options), _shard(os.environ)
    if options.dry_run:
        planned = pq.read_metadata(pa.BufferReader(make_index(origin)))
        _print(f"{planned.num_rows} pages in {planned.num_row_groups} chunks for {model.ref}; nothing is written")
        return 0
    ensure_index(open_storage(options.output), origin)
    run = start_run(options.output, model, "csv" if options.csv else "parquet")
    done = classify_chunks(run, shard, options.engine, options.workers)
    _print(f"{done.pages} pages in {done.seconds:.1f} s: {done.pages_per_s:.1f} pages/s")
    if others := run.unfinished(Shard()):
        _print(f"{len(others)} chunks of other shards are not done yet")
        return 0
    summary = summarize(run)
    run.storage.replace(SUMMARY, summary.json(done))
    run.storage.delete(CLAIMS)
    _print(summary.text())
    if summary.failures:
        return _complain(f"{summary.failures} pages could not be read: see `refusal` in their rows.", PAGES_FAILED)
    return 0


def _verify(options: argparse.Namespace) -> int:
    run = open_run(options.output)
    found = 0
    for problem in problems(run, read_pages=options.read_pages):
        found += 1
        _print(problem)
    if found:
        return _complain(f"{options.output} is not complete and whole.", 1)
    _print(f"{run.index.pages} pages, each with one row of {run.model.ref}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    result = compare(open_run(options.first), open_run(options.second))
    _print(result.text())
    if options.flips:
        try:
            pyarrow.csv.write_csv(result.flips, options.flips)
        except OSError as error:
            raise StorageError(f"Cannot write {options.flips}: {error.strerror}.") from error
    return 0


def _origin(options: argparse.Namespace) -> Origin:
    given, written = canonical(options.input), canonical(options.output)
    if f"{written}/".startswith(f"{given}/"):
        raise InputError(f"OUTPUT {written} lies in INPUT: choose a folder or prefix outside of the archive.")
    return Origin(given, options.limit)


def _shard(environment: Mapping[str, str]) -> Shard:
    """Read the share of this pod of an Indexed Job, which Kubernetes numbers and the manifest counts."""
    number, count = environment.get("JOB_COMPLETION_INDEX"), environment.get("JOB_COMPLETIONS")
    if number is None:
        return Shard()
    try:
        shard = Shard(int(number), int(count or ""))
    except ValueError:
        shard = Shard(0, 0)
    if not 0 <= shard.number < shard.count:
        raise InputError(f"JOB_COMPLETION_INDEX {number} needs JOB_COMPLETIONS, a larger number; it is {count!r}.")
    return shard


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ecg-batch", description=__doc__.partition("\n\n")[0], epilog=_SETTINGS)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, words in (
        ("index", _index, "list the pages of INPUT into OUTPUT, which `classify` does too"),
        ("classify", _classify, "classify every page that has no row in OUTPUT yet"),
    ):
        one = commands.add_parser(name, help=words, epilog=_SETTINGS)
        one.set_defaults(command=command)
        one.add_argument(
            "input", help="folder, glob, .csv or .parquet with a column `source`, or URL: s3, gs, az, file"
        )
        one.add_argument("output", help="folder or URL, outside of INPUT")
        one.add_argument("--limit", type=_positive, help="take only the first pages")
        if name == "classify":
            _add_classify_options(one)
    check = commands.add_parser("verify", help="check that each page has exactly one whole row of one model")
    check.set_defaults(command=_verify)
    check.add_argument("output")
    check.add_argument("--read-pages", action="store_true", help="read each page again and compare its SHA-256")
    both = commands.add_parser("compare", help="count the pages on which two runs differ")
    both.set_defaults(command=_compare)
    both.add_argument("first")
    both.add_argument("second")
    both.add_argument("--flips", type=Path, metavar="FILE", help="write the pages that differ, with sources, as CSV")
    return parser


def _add_classify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="alias, name or name/version; default: ECG_DEFAULT_MODEL")
    parser.add_argument("--workers", type=_positive, default=available_cpus(), help="default: one for each CPU")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="`ray` needs the extra `ray`")
    parser.add_argument("--csv", action="store_true", help="write chunks as CSV instead of Parquet")
    parser.add_argument("--dry-run", action="store_true", help="list the archive and check the model, write nothing")


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _stop(_number: int, _frame: FrameType | None) -> None:
    # As process 1 of a container there is no default action.
    sys.stderr.write(f"{_STOPPED}\n")
    sys.exit(128 + signal.SIGTERM)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _complain(message: str, exit_code: int) -> int:
    sys.stderr.write(f"ecg-batch: {message}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
