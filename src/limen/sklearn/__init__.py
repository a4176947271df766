"""scikit-learn: a meta-estimator that tunes thresholds, and a scorer for the metric after tuning.

>>> from limen.sklearn import ThresholdTuner, make_scorer
"""

from limen.errors import require

require("sklearn", extra="sklearn")

from limen.sklearn.scorer import make_scorer  # noqa: E402
from limen.sklearn.tuner import ThresholdTuner  # noqa: E402

__all__ = ["ThresholdTuner", "make_scorer"]
