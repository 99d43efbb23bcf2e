"""The trainer's command line: a subcommand for each step, and `run` for all of them.

Each step imports what it needs when it runs: TensorFlow for train, score, export, evaluate and run only.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from model_registry.errors import RegistryError
from model_registry.registry import Registry
from trainer.config import ARCHITECTURES, FUSION, PROTOCOLS, TrainConfig
from trainer.errors import TrainerError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step. Exit status 0: done; 1: refused, the last line says why; 2: not a command line of ours."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up chatter; warnings and errors stay
    options = _parser().parse_args(arguments)
    try:
        options.step(options)
    except (RegistryError, TrainerError, OSError) as error:
        print(f"trainer {options.step_name}: {error}", file=sys.stderr)
        return 1
    return 0


def _synth(options: argparse.Namespace) -> None:
    from trainer.synth import synthesize

    synthesize(options.out, options.count, options.seed)
    print(f"{options.count} synthetic pages in {options.out}")


def _audit(options: argparse.Namespace) -> None:
    from trainer.audit import audit, audit_table
    from trainer.dataset import read_pages

    facts = audit(read_pages(options.data, options.groups))
    print(audit_table(facts))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


def _prepare(options: argparse.Namespace) -> None:
    from trainer.dataset import read_pages
    from trainer.prepare import prepare

    if options.protocol == "leak-free" and options.groups is None:
        print("no table of groups given: pages of one patient may land on two sides", file=sys.stderr)
    pages = read_pages(options.data, options.groups)
    prepare(pages, options.out, options.protocol, options.seed, reference=options.reference)


def _train(options: argparse.Namespace) -> None:
    from trainer.train import train

    config = TrainConfig(options.arch, seed=options.seed, epochs=options.epochs, patience_epochs=options.patience)
    run = train(options.prepared, options.run, config)
    print(f"best epoch {run.best_epoch} of {len(run.history)} in {options.run}")


def _score(options: argparse.Namespace) -> None:
    from trainer.run import Run
    from trainer.score import score

    score(Run(options.run))
    print((options.run / "report.md").read_text())


def _export(options: argparse.Namespace) -> None:
    from trainer.export import export
    from trainer.run import Run

    options.reference = export(Run(options.run), Registry(options.registry), options.name)
    print(f"published {options.reference} in {options.registry}")


def _evaluate(options: argparse.Namespace) -> None:
    from trainer.evaluate import report_text

    evaluation = _evaluation(options)
    evaluation.run(options.candidates, (options.protocol,) if options.protocol else PROTOCOLS)
    print(report_text(evaluation.report()))


def _evaluation(options: argparse.Namespace) -> Any:  # noqa: ANN401 - imported with its step
    from trainer.dataset import read_pages
    from trainer.evaluate import Evaluation

    if options.groups is None:
        print("no table of groups given: pages of one patient may land in two folds", file=sys.stderr)
    pages = read_pages(options.data, options.groups)
    return Evaluation(pages, options.runs, repeats=options.repeats, quick=bool(options.quick))


def _validate(options: argparse.Namespace) -> None:
    from trainer.validation.decisions import ask
    from trainer.validation.run import Source, read_inputs, write_validation
    from trainer.validation.site_policy import choose_site_policy

    if (options.policy is None) != (options.site is None):
        options.refuse("a site policy needs both --site NAME and --policy FILE")
    band_hz = _band_hz(options)
    bundle = Registry(options.registry).load(options.reference)
    source = Source(options.data, options.labels, options.mapping, options.groups, band_hz, options.limit)
    inputs = read_inputs(source, bundle.manifest.preprocessing)
    if inputs.kind == "pages" and options.groups is None:
        print("no table of groups given: pages of one patient count as patients of their own", file=sys.stderr)
    asked = ask(bundle, inputs)
    refusal, policy = None, None
    if options.policy is not None:
        try:
            policy = choose_site_policy(asked, bundle, options.site, options.accuracy)
        except TrainerError as error:
            refusal = error  # the report is worth having all the same
    write_validation(bundle, asked, options.out, band_hz=band_hz, site_policy=policy)
    print((options.out / "report.md").read_text())
    if refusal is not None:
        raise refusal
    if policy is not None:
        options.policy.write_text(policy.model_dump_json(indent=1) + "\n")
        print(f"{options.policy}: site policy of {options.site}; serve with ECG_SITE_POLICY={options.policy}")


def _band_hz(options: argparse.Namespace) -> tuple[float, float] | None:
    words = options.band
    if words == ["none"]:
        return None
    try:
        low_hz, high_hz = (float(word) for word in words)
    except ValueError:
        low_hz = high_hz = 0.0
    if not 0 < low_hz < high_hz:
        options.refuse(f"--band {' '.join(words)}: expected two frequencies in Hz, the lower first, or none")
    return low_hz, high_hz


def _findings(options: argparse.Namespace) -> Any:  # noqa: ANN401 - imported with its step
    from trainer.config import FindingsConfig
    from trainer.findings_run import FindingsDesign, FindingsRun
    from trainer.ptbxl import read_ptbxl

    quick = getattr(options, "quick", False)
    signals = read_ptbxl(options.signals)
    design = FindingsDesign(seeds=1) if quick else FindingsDesign()
    config = FindingsConfig.quick() if quick else FindingsConfig()
    run = FindingsRun(signals, options.runs / f"findings{'-quick' if quick else ''}", design, config)
    run.run()
    print(f"findings network: {len(signals)} recordings of {len(set(signals.patients))} patients in {run.folder}")
    return run


def _promote(options: argparse.Namespace) -> None:
    Registry(options.registry).promote(options.reference, options.alias)
    print(f"{options.alias} -> {options.reference}")


def _roll_back(options: argparse.Namespace) -> None:
    print(f"{options.alias} -> {Registry(options.registry).roll_back(options.alias)}")


def _list(options: argparse.Namespace) -> None:
    from trainer.promotion import figure_words

    registry = Registry(options.registry)
    listing, aliases = registry.list(), registry.aliases()
    for bundle in listing.bundles:
        pointing = ", ".join(alias for alias, reference in aliases.items() if reference == bundle.ref)
        print(f"{bundle.ref:<16}{bundle.created_at:%Y-%m-%d %H:%M}  {pointing:<12}{figure_words(bundle)}")
    for broken in listing.broken:
        print(f"{broken.ref:<24}broken: {broken.reason}")


def _run(options: argparse.Namespace) -> None:
    own, others = (_OF_FUSION, _OF_LEAD_IMAGES) if options.arch == FUSION else (_OF_LEAD_IMAGES, _OF_FUSION)
    given = vars(options)
    if vain := [argument for argument in others if given[_place(argument)] is not None]:
        options.refuse(f"{', '.join(vain)}: without effect on --arch {options.arch}, leave it out")
    for argument in own:
        if given[_place(argument)] is None:
            given[_place(argument)] = _ARGUMENTS[argument].get("default")
    if options.arch == FUSION:
        _run_fusion(options)
    else:
        _run_lead_images(options)
    if not options.no_promote:
        _promote_unless_worse(options)


def _promote_unless_worse(options: argparse.Namespace) -> None:
    from trainer.promotion import why_not_promote

    reason = None if options.force else why_not_promote(Registry(options.registry), options.reference, options.alias)
    if reason is None:
        _promote(options)
    else:
        print(f"not promoted: {reason}; --force promotes it all the same")


def _run_fusion(options: argparse.Namespace) -> None:
    from trainer.config import CLASS_NETWORK
    from trainer.fusion_bundle import publish_fusion
    from trainer.fusion_evidence import FusionEvidence

    if options.signals is None:
        options.refuse("the fusion needs labelled recordings: name PTB-XL's folder with --signals")
    findings = _findings(options)
    evaluation = _evaluation(options)
    evaluation.run([CLASS_NETWORK], [PROTOCOLS[0]])
    evidence = FusionEvidence(evaluation, findings)
    options.reference = publish_fusion(evidence, Registry(options.registry), options.name or FUSION)
    print(f"published {options.reference} in {options.registry}")


def _run_lead_images(options: argparse.Namespace) -> None:
    options.out = options.prepared = options.runs / f"prepared-{options.protocol}-seed{options.seed}"
    options.run = options.runs / f"{options.arch}-{options.protocol}-seed{options.seed}"
    options.reference = False
    for step in (_prepare, _train, _score, _export):
        step(options)


def _at_least_0(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 0 or more")
    return int(text)


def _at_least_1(text: str) -> int:
    if (number := _at_least_0(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return number


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number between 0 and 1")
    return share


# An argument that means something else to one step stands under that step's name as well.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "data": {"type": Path, "help": "folder of class folders"},
    "out": {"type": Path, "help": "folder to write"},
    "prepared": {"type": Path, "help": "folder that prepare wrote"},
    "run": {"type": Path, "help": "run folder that train wrote"},
    "reference": {"help": "bundle, as name/version or name"},
    "--accuracy": {"type": _share, "help": "of the answers that a site policy reports; the bundle's by default"},
    "--alias": {"default": "production", "help": "alias to move (%(default)s)"},
    "--arch": {"choices": ARCHITECTURES, "default": "crnn", "help": "network (%(default)s)"},
    "run --arch": {"choices": (*ARCHITECTURES, FUSION), "default": FUSION, "help": "network (%(default)s)"},
    "--band": {
        "nargs": "+",
        "metavar": "HZ",
        "default": ["0.67", "25"],
        "help": "band of recordings, low and high, or none (0.67 25, as the cart prints)",
    },
    "--candidates": {"nargs": "+", "help": "only these, by name; all by default"},
    "--count": {"type": _at_least_1, "default": 4, "help": "pages in all (%(default)s)"},
    "--epochs": {"type": _at_least_1, "default": TrainConfig.epochs, "help": "epochs at most (%(default)s)"},
    "--groups": {"type": Path, "help": "CSV with sha256 and record_id: a record stays on one side of the split"},
    "--json": {"type": Path, "help": "file for the same facts as JSON"},
    "--labels": {"type": Path, "help": "CSV with the labels of recordings; needs --mapping"},
    "--limit": {"type": _at_least_1, "help": "only so many, chosen evenly"},
    "--mapping": {"type": Path, "help": "TOML that explains columns and labels of --labels"},
    "--name": {"help": "bundle name; the network's by default"},
    "--no-promote": {"action": "store_true", "help": "publish the bundle, leave the alias where it is"},
    "--out": {"type": Path, "default": Path("validation"), "help": "folder for the report (%(default)s)"},
    "--patience": {
        "type": _at_least_1,
        "default": TrainConfig.patience_epochs,
        "help": "epochs without gain before the end (%(default)s)",
    },
    "--policy": {"type": Path, "help": "file for a site policy, chosen on this data; needs --site"},
    "--protocol": {"choices": PROTOCOLS, "default": PROTOCOLS[0], "help": "how to split (%(default)s)"},
    "evaluate --protocol": {"choices": PROTOCOLS, "help": "only this one; both by default"},
    "--quick": {"action": "store_true", "help": "one repeat, fewer epochs, nothing slow: minutes instead of hours"},
    "--reference": {"action": "store_true", "help": "scikit-image's road instead of the one that serving takes"},
    "--registry": {"type": Path, "default": Path("models"), "help": "registry folder (%(default)s)"},
    "--force": {"action": "store_true", "help": "promote even a bundle that is worse or has no thresholds"},
    "--signals": {"type": Path, "help": "PTB-XL, as PhysioNet ships it or the packed part of it"},
    "signals": {"type": Path, "help": "PTB-XL, as PhysioNet ships it or the packed part of it"},
    "--repeats": {"type": _at_least_1, "default": 3, "help": "times that the pages are dealt anew (%(default)s)"},
    "--run": {"type": Path, "required": True, "help": "run folder to write, or to continue"},
    "--runs": {"type": Path, "default": Path("runs"), "help": "folder of run folders (%(default)s)"},
    "--seed": {"type": _at_least_0, "default": 0, "help": "seed of every random choice (%(default)s)"},
    "--site": {"help": "name of the hospital or ward that a site policy is for"},
}

_ARGUMENTS |= {
    "validate data": {"type": Path, "help": "class folders of pages, PTB-XL, or recordings with --labels"},
    "validate reference": {"help": "bundle, as name/version, name or alias"},
}

_OF_LEAD_IMAGES = ("--protocol", "--seed", "--epochs", "--patience")
_OF_FUSION = ("--signals", "--repeats", "--quick")
"""Arguments of `run` that only one of its two roads knows; ``None`` where they are not given."""


def _only(roads: str, argument: str) -> dict[str, Any]:
    known = _ARGUMENTS[argument]
    return {**known, "default": None, "help": f"{roads} only: {known['help'] % known}"}


def _place(argument: str) -> str:
    """Where a parsed argument is found."""
    return argument.removeprefix("--")


_ARGUMENTS |= {f"run {argument}": _only("cnn and crnn", argument) for argument in _OF_LEAD_IMAGES}
_ARGUMENTS |= {f"run {argument}": _only("fusion", argument) for argument in _OF_FUSION}

_STEPS: tuple[tuple[str, Callable[[argparse.Namespace], None], str, str], ...] = (
    ("synth", _synth, "draw synthetic report pages", "out --count --seed"),
    ("audit", _audit, "count distinct images, copies, conflicts and groups", "data --groups --json"),
    ("prepare", _prepare, "split the pages and write lead images", "data out --protocol --seed --groups --reference"),
    ("train", _train, "train a network on lead images", "prepared --run --arch --seed --epochs --patience"),
    ("score", _score, "convert the best epoch and score it on held-out pages", "run"),
    ("export", _export, "publish an evaluated run as a bundle", "run --registry --name"),
    ("findings", _findings, "cross-validate the findings network and train the served ones", "signals --runs --quick"),
    ("promote", _promote, "point an alias at a bundle", "reference --alias --registry"),
    ("roll-back", _roll_back, "point an alias at the bundle before", "--alias --registry"),
    ("list", _list, "list bundles and aliases", "--registry"),
    (
        "evaluate",
        _evaluate,
        "cross-validate every network and baseline, without copies and, beside it, as the literature does",
        "data --groups --protocol --candidates --repeats --quick --runs",
    ),
    (
        "validate",
        _validate,
        "judge a bundle on labelled pages or recordings; the first thing to do in a new hospital",
        "reference data --labels --mapping --groups --registry --out --band --limit --site --policy --accuracy",
    ),
    (
        "run",
        _run,
        "from pages to a promoted bundle",
        "data --arch --protocol --seed --groups --epochs --patience --signals --repeats --quick --runs --registry"
        " --name --alias --no-promote --force",
    ),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description="From report pages to a published bundle.")
    steps = parser.add_subparsers(title="steps", dest="step_name", required=True, metavar="STEP")
    for name, function, words, arguments in _STEPS:
        command = steps.add_parser(name, help=words, description=words)
        command.set_defaults(step=function, refuse=command.error)
        for argument in arguments.split():
            command.add_argument(argument, **_ARGUMENTS.get(f"{name} {argument}", _ARGUMENTS[argument]))
    return parser


if __name__ == "__main__":
    sys.exit(main())
