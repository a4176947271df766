"""The exact method under constraints.

==============  ============================================================================================
module          what it does
==============  ============================================================================================
`extended`      cuts that constraints need beyond the positives, and where thresholds are placed
`permitted`     constraints by label: which candidates are left, and what is said where none is
`units`         labels, groups with one threshold, and trees: the best of each by itself, or together
`target`        the objective and the constraints over all labels as functions of sums
`pooled`        metrics of summed counts: the frontier, cut where constraints and bounds leave nothing
`separable`     sums over labels: prices for the constraints
`nearby`        all that loses little against the prices, which closes the gap
`prices`        what loosening a constraint gains
`reserved`      constraints on new data, by a method's own counts and a reserve
`held`          how constraints fared on items left out, and the cuts that are tried
`solver`        all of these as a solver
==============  ============================================================================================
"""

from __future__ import annotations

from limen.solvers.constrained.extended import extended, in_range, needs_more, placed
from limen.solvers.constrained.permitted import kept_or_never, permitted

__all__ = ["extended", "in_range", "kept_or_never", "needs_more", "permitted", "placed"]
