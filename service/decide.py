"""Decide whether an answer is reported or referred, by the policy of the bundle or of this site."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

import model_registry.decision
from model_registry.decision import PageAnswer, Reason
from model_registry.manifest import BundleManifest
from model_registry.policy import DecisionPolicy, SitePolicy
from service.errors import BrokenModelError, StartupError
from service.settings import Settings
from shared_preproc.evidence import Doubt

__all__ = ["Decision", "PolicyInForce", "PolicySource", "SiteRules", "Status", "decide", "read_site_rules"]

Status = Literal["reported", "referred"]
PolicySource = Literal["bundle", "site"]


@dataclass(frozen=True)
class Decision:
    """Reported, or referred for reasons."""

    reasons: tuple[Reason, ...]

    @property
    def status(self) -> Status:
        """Whether the answer is reported."""
        return "referred" if self.reasons else "reported"


def decide(answer: PageAnswer, policy: DecisionPolicy | None, doubts: Sequence[Doubt] = ()) -> Decision:
    """Collect the reasons to refer a page: its doubts, then the policy's."""
    from_page = (Reason(doubt.code, doubt.message) for doubt in doubts)
    return Decision((*from_page, *model_registry.decision.decide(answer, policy)))


@dataclass(frozen=True)
class PolicyInForce:
    """Thresholds at their default sensitivity, and their source; None if there are none."""

    policy: DecisionPolicy | None = None
    source: PolicySource | None = None


@dataclass(frozen=True)
class SiteRules:
    """The policy of this site, which replaces a bundle's."""

    policy: SitePolicy | None = None

    def has_policy_for(self, manifest: BundleManifest) -> bool:
        """Return whether this site has a policy for the graph."""
        return self.policy is not None and self.policy.model_sha256 == manifest.model_sha256

    def in_force(self, manifest: BundleManifest) -> PolicyInForce:
        """Choose the policy for a bundle; without one, every page is referred."""
        if self.policy is not None and self.has_policy_for(manifest):
            return PolicyInForce(self.policy.decision, "site")
        return PolicyInForce() if manifest.decision is None else PolicyInForce(manifest.decision, "bundle")

    def check(self, manifest: BundleManifest) -> None:
        """Raise `BrokenModelError` if this site's policy for the graph does not fit it."""
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
    """Read the file of ECG_SITE_POLICY, or raise `StartupError`."""
    path = settings.site_policy
    if path is None:
        return SiteRules()
    try:
        return SiteRules(SitePolicy.model_validate_json(path.read_bytes(), strict=True))
    except OSError as error:
        raise StartupError(f"ECG_SITE_POLICY: cannot read {path}: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise StartupError(
            f"ECG_SITE_POLICY: {path} is not a valid site policy: {place}: {first['msg']}. "
            "Correct the file, or unset ECG_SITE_POLICY to use the models' own policies."
        ) from error
