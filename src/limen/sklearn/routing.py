"""Which arguments of ``fit`` go to the estimator and which to the splitter."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn import get_config
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import has_fit_parameter

from limen.errors import LimenWarning


def route(
    tuner: Any, sample_weight: Any, groups: Any, fit_params: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of the estimator's ``fit`` and of the splitter's ``split``.

    With scikit-learn's metadata routing these are what each requests. Without it, weights go to an
    estimator whose ``fit`` names them, groups to the splitter, and the rest to the estimator.
    """
    if get_config().get("enable_metadata_routing", False):
        routed = process_routing(tuner, "fit", sample_weight=sample_weight, groups=groups, **fit_params)
        return dict(routed["estimator"]["fit"]), dict(routed["splitter"]["split"])
    to_estimator = dict(fit_params)
    if sample_weight is not None:
        if has_fit_parameter(tuner.estimator, "sample_weight"):
            to_estimator["sample_weight"] = sample_weight
        elif not any(name.endswith("sample_weight") for name in fit_params):
            warnings.warn(
                f"{type(tuner.estimator).__name__}.fit takes no sample_weight: the weights count in the tuning "
                "only. Name the step of a pipeline (step__sample_weight=...), or enable scikit-learn's metadata "
                "routing and set_fit_request(sample_weight=True).",
                LimenWarning,
                stacklevel=3,
            )
    return to_estimator, {} if groups is None else {"groups": groups}
