"""Whether an explanation marks what matters: marked time wiped against as much time elsewhere, over real pages.

    python benchmarks/explanation.py PAGES [--registry models] [--model production] [--pages 40] [--seed 0]

PAGES holds report pages in any depth of folders; some are drawn at random. Of each page the tenth of its time is wiped
that the curves of its predicted class mark highest; then as much in the same pieces, shifted along the page: where the
curves are lowest, and at random. Likewise the three weightiest leads, the three lightest and any three. Prints what the
class loses each time, in log-odds, over the pages, and what an explanation costs in plain classifications.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_registry.registry import Registry
from service.explain import LeadEvidence, explain, wiped
from service.models.loader import Catalog
from service.models.onnx import Classifier, OnnxClassifier
from shared_preproc.leads import Lead
from shared_preproc.pipeline import preprocess
from shared_preproc.spec import PreprocSpec
from shared_preproc.tensor import Tensor

__all__ = ["judge"]

MARKED_SHARE = 0.1
LEADS_AT_ONCE = 3
DRAWS = 8
MARKED = {  # what each figure is compared with
    "highest tenth": "highest tenth",
    "a tenth at random": "highest tenth",
    "lowest tenth": "highest tenth",
    "three weightiest leads": "three weightiest leads",
    "three leads at random": "three weightiest leads",
    "three lightest leads": "three weightiest leads",
}
Marks = NDArray[np.bool_]  # over the cells of all leads, one lead after the other in page order


def main() -> None:
    """Explain pages and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages_dir", metavar="PAGES", type=Path)
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--model", default="production")
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    bundle = Catalog(Registry(options.registry)).load(options.model)
    spec, classifier = bundle.manifest.preprocessing, OnnxClassifier(bundle, wanted="cpu", threads=1)
    rng = np.random.default_rng(options.seed)
    found = sorted(path for path in options.pages_dir.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    chosen = [found[place] for place in rng.permutation(len(found))[: options.pages]]
    judged = [judge(preprocess(page.read_bytes(), spec), spec, classifier, rng) for page in chosen]
    print(f"{bundle.manifest.ref}, {len(chosen)} pages; loss of log-odds of the predicted class")
    report([losses for losses, _ in judged])
    cost = np.median([cost for _, cost in judged])
    print(f"an explanation costs {cost:.0f} runs of the graph on one page (median of CPU time)")


def report(losses: Sequence[Mapping[str, float]]) -> None:
    """Print the table: over the pages, and on how many of them what is marked loses more."""
    print(f"{'wiped':28s}{'mean':>8s}{'median':>8s}{'marked loses more':>20s}")
    for what in losses[0]:
        lost = np.array([page[what] for page in losses])
        marked = np.array([page[MARKED[what]] for page in losses])
        more = "" if MARKED[what] == what else f"{(marked > lost).mean():.0%} of pages"
        print(f"{what:28s}{lost.mean():8.3f}{np.median(lost):8.3f}{more:>20s}")


def judge(
    tensor: Tensor, spec: PreprocSpec, classifier: Classifier, rng: np.random.Generator
) -> tuple[dict[str, float], float]:
    """What one page's class loses by what is wiped, and how many runs of the graph explaining it took."""
    started_s = time.process_time()
    class_place = int(classifier.run(tensor[np.newaxis]).pages[0].argmax())
    classified_s = time.process_time()
    evidence = explain(tensor, spec, classifier, class_place)
    cost = (time.process_time() - classified_s) / (classified_s - started_s)
    intact = log_odds(classifier, tensor, class_place)
    losses = {
        what: [intact - log_odds(classifier, wiped(tensor, spec, by_lead(m, evidence)), class_place) for m in marks]
        for what, marks in trials(evidence, rng).items()
    }
    return {what: float(np.mean(lost)) for what, lost in losses.items()}, cost


def trials(evidence: Mapping[Lead, LeadEvidence], rng: np.random.Generator) -> dict[str, list[Marks]]:
    """What to wipe, by the names of `MARKED`; at random several times."""
    curve = np.concatenate([lead.curve for lead in evidence.values()])
    marks, leads = highest(curve), sorted(evidence, key=lambda lead: evidence[lead].weight)
    shifts = rng.choice(np.arange(1, len(curve)), DRAWS, replace=False)
    drawn = [[leads[place] for place in rng.permutation(len(leads))[:LEADS_AT_ONCE]] for _ in range(DRAWS)]
    return {
        "highest tenth": [marks],
        "a tenth at random": [np.roll(marks, shift) for shift in shifts],
        "lowest tenth": [lowest(marks, curve)],
        "three weightiest leads": [whole(leads[-LEADS_AT_ONCE:], evidence)],
        "three leads at random": [whole(some, evidence) for some in drawn],
        "three lightest leads": [whole(leads[:LEADS_AT_ONCE], evidence)],
    }


def highest(curve: NDArray[np.float64]) -> Marks:
    """Mark the tenth of the cells in which the curve is highest."""
    marks = np.zeros(len(curve), np.bool_)
    marks[np.argsort(-curve, kind="stable")[: round(MARKED_SHARE * len(curve))]] = True
    return marks


def lowest(marks: Marks, curve: NDArray[np.float64]) -> Marks:
    """The same pieces, shifted along the page to where the curve under them sums to least."""
    sums = [curve[np.roll(marks, shift)].sum() for shift in range(len(curve))]
    return np.roll(marks, int(np.argmin(sums)))


def whole(leads: Sequence[Lead], evidence: Mapping[Lead, LeadEvidence]) -> Marks:
    """Mark these leads and nothing else."""
    return np.concatenate([np.full(len(found.curve), lead in leads) for lead, found in evidence.items()])


def by_lead(marks: Marks, evidence: Mapping[Lead, LeadEvidence]) -> dict[Lead, Marks]:
    """Part the marks of a page among its leads."""
    ends = np.cumsum([len(found.curve) for found in evidence.values()])[:-1]
    return dict(zip(evidence, np.split(marks, ends), strict=True))


def log_odds(classifier: Classifier, page: Tensor, class_place: int) -> float:
    """Log-odds of a class on one page."""
    probabilities = classifier.run(page[np.newaxis]).pages[0].astype(np.float64)
    return float(np.log(probabilities[class_place] / np.delete(probabilities, class_place).sum()))


if __name__ == "__main__":
    main()
