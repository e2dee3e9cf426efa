"""Whether a scale has what a claim needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fdsl.schema.study.claims import Claim
from fdsl.schema.study.report_scale import ReportScale


def unmet(
    claim: Claim,
    scale: ReportScale,
    *,
    columns: Sequence[str],
    difficulty: Mapping[str, float | None],
) -> list[str]:
    """Return what a claim needs and the scale does not have; empty if it has everything.

    Parameters
    ----------
    scale
        As the claim's table or figure sees it.
    columns
        Labels of the columns that the scale measures.
    difficulty
        As `difficulty_ratio`.
    """
    return list(_unmet(claim, scale, columns, difficulty))


def _unmet(
    claim: Claim, scale: ReportScale, columns: Sequence[str], difficulty: Mapping[str, float | None]
) -> Iterator[str]:
    needs = claim.needs
    for label in dict.fromkeys([*needs.datasets, *(claim.columns or [])]):
        if label not in columns:
            yield f"column {label} of {claim.table} is not measured"
    if needs.network is not None and needs.network not in scale.models:
        yield f"needs {needs.network}; trained: {', '.join(scale.models) or 'nothing'}"
    for name in needs.published_images:
        if name in scale.reduced:
            yield f"needs {name} as published; here: {scale.reduced[name]}"
    for name in claim.rows:
        if name in scale.reasons:
            yield f"{name}: {scale.reasons[name]}"
    ratio = difficulty_ratio(claim.rows, difficulty)
    limit = needs.difficulty_ratio
    if not scale.comparable and limit is not None and ratio is not None and ratio > limit:
        yield f"difficulty of the images differs by a factor of {ratio:.1f}, more than {limit:g}"


def difficulty_ratio(rows: Sequence[str], difficulty: Mapping[str, float | None]) -> float | None:
    """Return the greatest factor between the difficulties of some pre-trainings.

    Parameters
    ----------
    rows
        Names of pre-trainings.
    difficulty
        Pre-training dataset -> 1-nearest-neighbour accuracy on its images, percent; absent or None
        where it was not measured.

    Returns
    -------
    float or None
        At least 1; None if a row was not measured.
    """
    known = [difficulty.get(row) for row in rows]
    measured = [accuracy for accuracy in known if accuracy is not None]
    if len(measured) < len(known):
        return None
    return max(measured) / min(measured) if min(measured) > 0 else float("inf")
