"""An extreme learning machine: a random hidden layer, of which only the output is fitted.

Huang, Zhu, Siew: Extreme learning machine: theory and applications, Neurocomputing 70, 489-501,
2006. scikit-learn has none.

===================  ===============  ==========================
layer                output           fitted
===================  ===============  ==========================
random linear        ``hidden``       no: F x hidden + hidden
sigmoid              ``hidden``       no
ridge regression     K                yes: hidden x K + K
===================  ===============  ==========================

Where the paper is silent, and what we do:
1. The spread of the random weights: uniform in +-3 / sqrt(F), offsets uniform in +-1. Inputs of
   variance one then reach the sigmoid with a deviation of about 1.7, where it bends and is not yet
   saturated; the paper's +-1 is for inputs in [0, 1].
2. The paper's output is a least-squares fit by the pseudo-inverse. Ours is a ridge regression,
   whose penalty grows with the sum of the weights: it means the same for any number of samples.
3. Probabilities: least squares on targets +-1 estimates 2 p - 1. A softmax over the K outputs (for
   two classes: the logistic function of twice the output) has that value and slope in the middle,
   stays between 0 and 1, and is fitted on nobody.

Legend: n samples, F features, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped]
from sklearn.linear_model import Ridge  # type: ignore[import-untyped]
from sklearn.utils import check_random_state  # type: ignore[import-untyped]
from sklearn.utils.validation import (  # type: ignore[import-untyped]
    check_array,
    check_is_fitted,
    check_X_y,
)

from affectscope.records import FloatArray


class ExtremeLearningMachine(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn classifier; inputs should be standardised.

    Args:
        hidden: random units.
        ridge: penalty on the output's weights, per unit of sample weight.
        random_state: seed of the hidden layer.

    ``fit`` and ``predict_proba`` raise ValueError for NaN and for shapes that do not fit.
    """

    def __init__(self, hidden: int = 200, ridge: float = 0.01, random_state: Any = 0) -> None:
        self.hidden = hidden
        self.ridge = ridge
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ExtremeLearningMachine:  # noqa: N803
        """Draw the hidden layer and fit the output on (n, F) features and (n,) classes."""
        values, labels = check_X_y(X, y, dtype=np.float64)
        weights = np.ones(len(values)) if sample_weight is None else np.asarray(sample_weight)
        self.classes_ = np.unique(labels)
        self.n_features_in_ = values.shape[1]
        random = check_random_state(self.random_state)
        bound = 3.0 / np.sqrt(self.n_features_in_)
        self.weights_ = random.uniform(-bound, bound, (self.n_features_in_, self.hidden))
        self.offsets_ = random.uniform(-1.0, 1.0, self.hidden)
        coded = np.where(labels[:, None] == self.classes_, 1.0, -1.0)
        self.output_ = Ridge(alpha=self.ridge * float(weights.sum()))
        self.output_.fit(self._hidden(values), coded, sample_weight=weights)
        return self

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: N803
        """(n, F) -> (n, K) in the order of ``classes_``; rows sum to one."""
        check_is_fitted(self)
        values = check_array(X, dtype=np.float64)
        outputs = self.output_.predict(self._hidden(values)).reshape(len(values), -1)
        probabilities: FloatArray = softmax(outputs, axis=1)
        return probabilities

    def predict(self, X: Any) -> Any:  # noqa: N803
        """(n, F) -> (n,) the more probable class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _hidden(self, values: FloatArray) -> FloatArray:
        """(n, F) -> (n, hidden)."""
        activation: FloatArray = expit(values @ self.weights_ + self.offsets_)
        return activation
