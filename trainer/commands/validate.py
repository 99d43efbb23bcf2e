"""The step that judges a bundle on labelled pages or recordings, and chooses a site policy."""

import argparse
import sys
from pathlib import Path

from model_registry.registry import Registry
from trainer.commands.arguments import Steps, add_data, add_registry, add_step, at_least_1, share
from trainer.errors import TrainerError

__all__ = ["add"]


def add(steps: Steps) -> None:
    """Add validate."""
    words = "judge a bundle on labelled pages or recordings; the first thing to do in a new hospital"
    parser = add_step(steps, "validate", _validate, words)
    parser.add_argument("reference", help="bundle, as name/version, name or alias")
    add_data(parser, "class folders of pages, PTB-XL, or recordings with --labels")
    parser.add_argument("--labels", type=Path, metavar="CSV", help="labels of recordings; needs --mapping")
    words = "TOML that explains columns and labels of --labels"
    parser.add_argument("--mapping", type=Path, metavar="TOML", help=words)
    add_registry(parser)
    parser.add_argument("--out", type=Path, default=Path("validation"), help="folder for the report (%(default)s)")
    words = "band of recordings, low and high, or none (0.67 25, as the cart prints)"
    parser.add_argument("--band", nargs="+", metavar="HZ", default=["0.67", "25"], help=words)
    parser.add_argument("--limit", type=at_least_1, help="only so many, chosen evenly")
    parser.add_argument("--site", metavar="NAME", help="hospital or ward that a site policy is for")
    words = "file for a site policy, chosen on this data; needs --site"
    parser.add_argument("--policy", type=Path, metavar="FILE", help=words)
    words = "of the answers that a site policy reports; the bundle's by default"
    parser.add_argument("--accuracy", type=share, help=words)


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
