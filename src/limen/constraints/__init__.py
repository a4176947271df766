"""Constraints on thresholds: what decisions must keep, whatever the metric."""

from __future__ import annotations

from limen.constraints.bound import Bound, Constraint, Infeasible, bind, outcomes
from limen.constraints.counts import (
    CountConstraint,
    MaxFalsePositiveRate,
    MaxFalsePositives,
    MaxPredictions,
    MinPrecision,
    MinPredictions,
    MinRecall,
)
from limen.constraints.said import said_in_short, said_out_of_sample, said_outcome
from limen.constraints.shapes import AtMost, Hierarchy, SameThreshold, ThresholdRange
from limen.constraints.spec import of_spec, read_constraints

__all__ = [
    "AtMost",
    "Bound",
    "Constraint",
    "CountConstraint",
    "Hierarchy",
    "Infeasible",
    "MaxFalsePositiveRate",
    "MaxFalsePositives",
    "MaxPredictions",
    "MinPrecision",
    "MinPredictions",
    "MinRecall",
    "SameThreshold",
    "ThresholdRange",
    "bind",
    "of_spec",
    "outcomes",
    "read_constraints",
    "said_in_short",
    "said_out_of_sample",
    "said_outcome",
]
