"""Baselines without a network: what the most frequent class, the stationery or the pulse alone are worth."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trainer.candidates.candidate import Prediction, Rows, Watch, log_probabilities
from trainer.classes import CLASS_NAMES
from trainer.page_set import PageSet

__all__ = ["Linear", "Majority", "names", "paper", "rhythm", "template_curves"]

Features = Callable[[PageSet], NDArray[np.float32]]

_COMPONENTS = 30
_INVERSE_REGULARIZATION = 0.1


class Majority:
    """Answers every page with the shares of the classes among the pages fitted on."""

    def fit_predict(self, pages: PageSet, fitted: Rows, asked: Rows, seed: int, watch: Watch) -> Prediction:  # noqa: ARG002
        """Count."""
        shares = np.bincount(pages.labels[fitted], minlength=len(CLASS_NAMES)) / len(fitted)
        return Prediction(log_probabilities(np.tile(shares, (len(asked), 1))))


class Linear:
    """Logistic regression on the principal components of standardised features, classes weighted equally."""

    def __init__(self, features: Features) -> None:
        """Take the features of a page set: (pages, features), not a number where there is nothing to see."""
        self._features = features

    def fit_predict(self, pages: PageSet, fitted: Rows, asked: Rows, seed: int, watch: Watch) -> Prediction:
        """Fit on features that vary; where none does, there is only the majority left."""
        features = self._features(pages)
        known = features[:, ~np.isnan(features[fitted]).all(axis=0)]
        varied = known[:, np.nanstd(known[fitted], axis=0) > 0]
        if not varied.shape[1]:
            return Majority().fit_predict(pages, fitted, asked, seed, watch)
        model = make_pipeline(
            SimpleImputer(strategy="median"),
            StandardScaler(),
            PCA(min(_COMPONENTS, varied.shape[1], len(fitted)), random_state=seed),
            LogisticRegression(C=_INVERSE_REGULARIZATION, class_weight="balanced", max_iter=2000),
        ).fit(varied[fitted], pages.labels[fitted])
        probabilities = np.zeros((len(asked), len(CLASS_NAMES)))
        probabilities[:, model.classes_] = model.predict_proba(varied[asked])
        return Prediction(log_probabilities(probabilities))


def template_curves(pages: PageSet) -> NDArray[np.float32]:
    """Curves of pages whose curves are masked out."""
    return np.stack([template.traces for template in pages.templates])


def names(pages: PageSet) -> NDArray[np.float32]:
    """Lead names as the masks show them."""
    return np.stack([template.names for template in pages.templates])


def paper(pages: PageSet) -> NDArray[np.float32]:
    """Gray levels of the paper, which no network sees."""
    return np.stack([template.paper for template in pages.templates])


def rhythm(pages: PageSet) -> NDArray[np.float32]:
    """Simple features of the rhythm strip."""
    return pages.rhythm
