"""Whether an answer may stand without a person's look at the page, and if not, why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import lt

from model_registry.policy import DecisionPolicy, ReaderRules

__all__ = ["REASON_CODES", "PageAnswer", "Reason", "decide", "rests_on_rate"]

REASON_CODES = frozenset(
    {
        "no_thresholds",
        "possible_critical_class",
        "possible_infarction",
        "rate_alone",
        "readers_disagree",
        "source_not_validated",
        "uncertain",
    }
)
"""Every reason code about the answer; doubts about the page have codes of their own."""

Probabilities = Mapping[str, float]
"""By class name; sums to 1."""


@dataclass(frozen=True)
class Reason:
    """Why a person has to look: a code for programs, and words."""

    code: str
    message: str


@dataclass(frozen=True, eq=False)
class PageAnswer:
    """What a bundle's graph says about one page."""

    probabilities: Probabilities
    """The page's answer, by whichever reader leads."""
    readers: tuple[Probabilities, Probabilities] | None = None
    """The class network's own answer and the findings network's; ``None`` where the graph has one reader."""
    heart_rate_bpm: float | None = None
    at_reference_rate: Probabilities | None = None
    """The answer to the same curves at the policy's reference rate; ``None`` if it was not computed."""

    @property
    def top(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


def rests_on_rate(answer: PageAnswer, policy: DecisionPolicy | None) -> bool:
    """Whether to read the page again at the reference rate before deciding.

    Worth it where the heart rate is in the policy's band and the answer is not normal.
    """
    if policy is None or policy.readers is None or answer.heart_rate_bpm is None:
        return False
    low, high = policy.readers.rate_band_bpm
    return low <= answer.heart_rate_bpm <= high and answer.top != policy.readers.normal_class


def decide(answer: PageAnswer, policy: DecisionPolicy | None, sensitivity: float | None = None) -> tuple[Reason, ...]:
    """Give every reason to refer the page; none: the answer is reported.

    ``sensitivity`` (0 to 1) to the critical class is asked of the policy in place of its default.
    """
    if policy is None:
        return (Reason("no_thresholds", "This model has no measured thresholds: a person decides every time."),)
    return tuple(_reasons(answer, policy, policy.default_sensitivity if sensitivity is None else sensitivity))


def _reasons(answer: PageAnswer, policy: DecisionPolicy, sensitivity: float) -> Iterator[Reason]:
    top, probabilities = answer.top, answer.probabilities
    report_from = policy.reported_from(top)
    if not probabilities[top] >= report_from:  # NaN is uncertain
        yield Reason(
            "uncertain",
            f"The most probable class, {_words(top)}, has the probability {probabilities[top]:.4f}; "
            f"it is reported from {report_from:.4f} on.",
        )
    critical, threshold = policy.critical_class, policy.operating_point(sensitivity).threshold
    if top != critical and not probabilities[critical] < threshold:
        yield Reason(
            "possible_critical_class",
            f"{_words(critical).capitalize()} has the probability {probabilities[critical]:.4f}, though "
            f"{_words(top)} is more probable; pages are flagged from {threshold:.4f} on.",
        )
    if policy.readers is not None and answer.readers is not None:
        yield from _reader_reasons(answer, answer.readers, policy.readers)


def _reader_reasons(answer: PageAnswer, readers: Sequence[Probabilities], rules: ReaderRules) -> Iterator[Reason]:
    top = answer.top
    kind = _kind(top, rules)
    by_class, by_findings = readers
    of_class, class_from = by_class[top], rules.class_network_from.get(top, 1.0)
    of_kind = sum(by_findings[name] for name in by_findings if _kind(name, rules) == kind)
    kind_from = rules.findings_network_from.get(top, 1.0)
    if not (of_class >= class_from and of_kind >= kind_from):  # NaN disagrees
        yield Reason(
            "readers_disagree",
            f"The class network gives {_words(top)} {of_class:.2f} (asked: {class_from:.2f}), "
            f"the findings network {kind} {of_kind:.2f} (asked: {kind_from:.2f}).",
        )
    signs = [sum(reader[name] for name in rules.infarction_classes) for reader in readers]
    sign_from = rules.sign_from(top)
    if sign_from is not None and not all(map(lt, signs, sign_from)):  # NaN is a sign
        yield Reason(
            "possible_infarction",
            f"The class network gives infarction the probability {signs[0]:.4f} ({_words(top)} is reported below "
            f"{sign_from[0]:.4f}), the findings network {signs[1]:.4f} (below {sign_from[1]:.4f}).",
        )
    if answer.at_reference_rate is not None:
        yield from _rate_reasons(kind, answer.at_reference_rate, rules)


def _rate_reasons(kind: str, at_reference_rate: Probabilities, rules: ReaderRules) -> Iterator[Reason]:
    other = max(at_reference_rate, key=at_reference_rate.__getitem__)
    stays = at_reference_rate[other] > 0 and _kind(other, rules) == kind  # NaN does not stay
    if not stays:
        yield Reason(
            "rate_alone",
            f"The answer rests on the heart rate alone: the same curves at {rules.reference_rate_bpm:.0f}/min "
            f"are answered {_words(other)}.",
        )


def _kind(class_name: str, rules: ReaderRules) -> str:
    """Infarction, or the class's own name: acute or old is not asked of the findings network."""
    return "infarction" if class_name in rules.infarction_classes else _words(class_name)


def _words(class_name: str) -> str:
    return class_name.replace("_", " ")
