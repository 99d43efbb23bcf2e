"""The policy that decides about a model's answers: the bundle's own, or the one that this site chose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from model_registry.manifest import BundleManifest
from model_registry.policy import DecisionPolicy, SitePolicy
from service.errors import BrokenModelError, StartupError
from service.settings import Settings

__all__ = ["PolicyInForce", "PolicySource", "SiteRules", "read_site_rules"]

PolicySource = Literal["bundle", "site"]


@dataclass(frozen=True)
class PolicyInForce:
    """The thresholds that decide about a model's answers."""

    policy: DecisionPolicy
    """Its default sensitivity is the one in use."""
    source: PolicySource


@dataclass(frozen=True)
class SiteRules:
    """What this site sets for the decisions of its models."""

    policy: SitePolicy | None = None

    def has_policy_for(self, manifest: BundleManifest) -> bool:
        """Whether the site's policy was chosen for this bundle's graph."""
        return self.policy is not None and self.policy.model_sha256 == manifest.model_sha256

    def in_force(self, manifest: BundleManifest) -> PolicyInForce | None:
        """Choose the policy for a bundle; ``None``: no thresholds were measured, every page is referred."""
        source: PolicySource = "bundle"
        policy = manifest.decision
        if self.policy is not None and self.has_policy_for(manifest):
            source, policy = "site", self.policy.decision
        return None if policy is None else PolicyInForce(policy, source)

    def check(self, manifest: BundleManifest) -> None:
        """Check that the site's policy, where it is for this graph, fits its classes and outputs.

        Raises:
            BrokenModelError: it does not fit.
        """
        if self.policy is None or not self.has_policy_for(manifest):
            return
        try:
            manifest.check_decision(self.policy.decision)
        except ValueError as error:
            raise BrokenModelError(
                found=f"{manifest.ref}: a site policy that does not fit it: {error}",
                expected="a site policy whose classes and readers are those of the model",
                remedy="Write the file of ECG_SITE_POLICY anew for this model, or unset it.",
            ) from error


def read_site_rules(settings: Settings) -> SiteRules:
    """Read what the settings say about decisions.

    Raises:
        StartupError: the file of the site policy cannot be read, or is not a valid policy.
    """
    path = settings.site_policy
    return SiteRules(None if path is None else _read_policy(path))


def _read_policy(path: Path) -> SitePolicy:
    try:
        return SitePolicy.model_validate_json(path.read_bytes(), strict=True)
    except OSError as error:
        raise StartupError(f"ECG_SITE_POLICY: cannot read {path}: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise StartupError(
            f"ECG_SITE_POLICY: {path} is not a valid site policy: {place}: {first['msg']}. "
            "Correct the file, or unset ECG_SITE_POLICY to use the models' own policies."
        ) from error
