"""scikit-learn: classifiers that decide by thresholds, tuned or given, and a scorer for the metric after tuning.

>>> from limen.sklearn import FixedThresholds, ThresholdTuner, tuned_scorer
"""

from limen.errors import require

require("sklearn", extra="sklearn")

from limen.sklearn.fixed import FixedThresholds  # noqa: E402
from limen.sklearn.scorer import tuned_scorer  # noqa: E402
from limen.sklearn.tuner import ThresholdTuner  # noqa: E402

__all__ = ["FixedThresholds", "ThresholdTuner", "tuned_scorer"]
