"""Steps about published bundles: list them, move an alias, complete the record of training pages."""

import argparse

from model_registry.registry import Registry
from trainer.commands.arguments import Steps, add_data, add_registry, add_step

__all__ = ["add", "add_alias", "promote"]


def add(steps: Steps) -> None:
    """Add promote, roll-back, list and fingerprint."""
    parser = add_step(steps, "promote", _promote, "point an alias at a bundle")
    parser.add_argument("reference", help="bundle, as name/version or name")
    add_alias(parser)
    add_registry(parser)

    parser = add_step(steps, "roll-back", _roll_back, "point an alias at the bundle before")
    add_alias(parser)
    add_registry(parser)

    parser = add_step(steps, "list", _list, "list bundles and aliases")
    add_registry(parser)

    words = "publish a bundle anew with the fingerprints of its training pages, to know them however they are saved"
    parser = add_step(steps, "fingerprint", _fingerprint, words)
    parser.add_argument("reference", help="bundle, as name/version, name or alias")
    add_data(parser)
    add_registry(parser)


def add_alias(parser: argparse.ArgumentParser) -> None:
    """Add the alias to move."""
    parser.add_argument("--alias", default="production", help="alias to move (%(default)s)")


def promote(registry: Registry, reference: str, alias: str) -> None:
    """Point an alias at a bundle, and say so."""
    registry.promote(reference, alias)
    print(f"{alias} -> {reference}")


def _promote(options: argparse.Namespace) -> None:
    promote(Registry(options.registry), options.reference, options.alias)


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


def _fingerprint(options: argparse.Namespace) -> None:
    from trainer.dataset import read_data
    from trainer.republish import with_fingerprints

    found = read_data(options.data, options.groups, every_class=False)
    reference = with_fingerprints(Registry(options.registry), options.reference, found.pages)
    print(f"published {reference} in {options.registry}; promote it: python -m trainer promote {reference}")
