"""The files that jobs read: functions of the job table and a rule's wildcards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from fdsl.schema.study.figures import Ablation, Curves, Distributions, Teaser
from fdsl.workflow.runs import Draw, Measurement, Run

if TYPE_CHECKING:
    from fdsl.workflow.jobs import Jobs

PUBLISHED = "workflow/published/tables.csv"


def published(_jobs: Jobs, **_wildcards: str) -> list[str]:
    """Return the printed numbers."""
    return [PUBLISHED]


# Images and downstream datasets ------------------------------------------------------------------


def parameters(jobs: Jobs, scale: str, dataset: str, **_: str) -> list[str]:
    """Return the parameter file of a synthetic dataset."""
    return [jobs.path("sample_parameters", "parameters", scale=scale, dataset=dataset)]


def parameters_digest(jobs: Jobs, scale: str, dataset: str, **_: str) -> list[str]:
    """Return the digest of the parameter file of a synthetic dataset."""
    return [jobs.path("sample_parameters", "digest", scale=scale, dataset=dataset)]


def images_of(jobs: Jobs, scale: str, dataset: str) -> list[str]:
    """Return the shards of a synthetic dataset, or its parameters where images are streamed."""
    return _drawn(jobs, scale, dataset, "parameters", "shard")


def image_digests_of(jobs: Jobs, scale: str, dataset: str) -> list[str]:
    """Return the digests of the shards, or of the parameter file, of a synthetic dataset."""
    return _drawn(jobs, scale, dataset, "digest", "digest")


def difficulties(jobs: Jobs, datasets: Iterable[str]) -> list[str]:
    """Return how hard some datasets are at the configured scale (`fdsl.images.difficulty.read`).

    Names of other pre-trainings are left out.
    """
    return [
        jobs.path("difficulty", "measure", scale=jobs.scale, dataset=name)
        for name in datasets
        if name in jobs.config.synthetic
    ]


def composed_dataset(jobs: Jobs, scale: str, dataset: str) -> list[str]:
    """Return the folder in which `compose` makes a downstream dataset; none for other datasets."""
    entry = jobs.config.downstream[dataset]
    if entry.composed is None:
        return []
    return [jobs.path("compose", "folder", scale=scale, dataset=entry.folder)]


def composition_sources(jobs: Jobs, scale: str, dataset: str) -> list[str]:
    """Return the manifests of the datasets whose pictures a composed one is made of."""
    composed = jobs.config.downstream[dataset].composed
    names = composed.sources if composed is not None else ()
    return [_manifest(jobs, scale, name) for name in names]


# Trainings ---------------------------------------------------------------------------------------


def images(jobs: Jobs, scale: str, run: str) -> list[str]:
    """Return the shards of a pre-training, or the parameter file where images are streamed."""
    return _of_run(jobs, scale, run, images_of)


def image_digests(jobs: Jobs, scale: str, run: str) -> list[str]:
    """Return the digests of the shards, or of the parameter file, of a pre-training."""
    return _of_run(jobs, scale, run, image_digests_of)


def pretraining_manifest(jobs: Jobs, scale: str, run: str) -> list[str]:
    """Return the manifest of a pre-training's real pictures; none for a synthetic dataset."""
    name = Run.read(run).pretraining
    if name in jobs.config.synthetic:
        return []
    return [_manifest(jobs, scale, jobs.config.real(scale, name).dataset)]


def manifest(jobs: Jobs, scale: str, run: str) -> list[str]:
    """Return the manifest of a run's downstream dataset."""
    return [_manifest(jobs, scale, _downstream(run))]


def composed_of_run(jobs: Jobs, scale: str, run: str) -> list[str]:
    """Return the folder of a run's downstream dataset where `compose` makes it."""
    return composed_dataset(jobs, scale, _downstream(run))


def pretrained_weights(jobs: Jobs, scale: str, run: str) -> list[str]:
    """Return the weights of a pre-training."""
    return [jobs.path("pretrain", "weights", scale=scale, run=run)]


def pretrained_record(jobs: Jobs, scale: str, run: str) -> list[str]:
    """Return the record of a pre-training."""
    return [jobs.path("pretrain", "record", scale=scale, run=run)]


def initial_weights(jobs: Jobs, scale: str, run: str) -> list[str]:
    """Return the weights that a downstream run starts from; none from scratch."""
    return _initial(jobs, scale, run, "weights")


def initial_record(jobs: Jobs, scale: str, run: str) -> list[str]:
    """Return the record of the weights that a downstream run starts from; none from scratch."""
    return _initial(jobs, scale, run, "record")


# Reports -----------------------------------------------------------------------------------------


def table_records(jobs: Jobs, table: str) -> list[str]:
    """Return the records that a table joins."""
    return _records(jobs, jobs.runs.of_table(table))


def figure_records(jobs: Jobs, figure: str) -> list[str]:
    """Return the records that a figure shows."""
    return _records(jobs, jobs.runs.of_figure(figure))


def figure_files(jobs: Jobs, figure: str) -> list[str]:
    """Return what else a figure shows: attention maps, learning curves or parameters."""
    asked = jobs.runs.figure(figure)
    if isinstance(asked, Distributions):
        return [path for name in asked.datasets for path in parameters(jobs, jobs.scale, name)]
    rule, output = ("attention", "maps") if isinstance(asked, Ablation | Teaser) else ("", "")
    if isinstance(asked, Curves):
        rule, output = "pretrain", "metrics"
    pretrained = jobs.runs.pretrainings(jobs.runs.of_figure(figure)) if rule else []
    if rule == "attention":  # the maps of one replicate are shown
        pretrained = list({run.pretraining: run for run in reversed(pretrained)}.values())
    return [jobs.path(rule, output, scale=jobs.scale, run=run.key) for run in pretrained]


def claim_records(jobs: Jobs) -> list[str]:
    """Return the records that decide the claims."""
    return _records(jobs, jobs.runs.of_claims())


def claim_pretrainings(jobs: Jobs) -> list[str]:
    """Return the records of the pre-trainings behind the claims; none without a gate for them."""
    if jobs.config.scales[jobs.scale].gates.pretraining_accuracy is None:
        return []
    return _pretrained(jobs, jobs.runs.of_claims())


def claim_difficulties(jobs: Jobs) -> list[str]:
    """Return how hard the images are that claims compare only if they are about equally hard; none
    at a scale of published images.
    """
    if jobs.config.scales[jobs.scale].comparable:
        return []
    claims = [claim for study in jobs.config.studies.values() for claim in study.claims.values()]
    rows = [row for c in claims if c.needs.difficulty_ratio is not None for row in c.rows]
    skipped = jobs.config.scales[jobs.scale].skip
    return difficulties(jobs, [row for row in dict.fromkeys(rows) if row not in skipped])


def run_records(jobs: Jobs) -> list[str]:
    """Return the records of all trainings behind the tables and figures."""
    measured = jobs.runs.of_reports()
    return [*_pretrained(jobs, measured), *_records(jobs, measured)]


def metrics(jobs: Jobs, scale: str, stage: str, run: str) -> list[str]:
    """Return the learning curve of a training."""
    return [jobs.path(stage, "metrics", scale=scale, run=run)]


def report_fragments(jobs: Jobs) -> list[str]:
    """Return the finished parts of the page that are tables and figures, in its order."""
    studies = jobs.config.studies.values()
    return [
        *(jobs.path("table", "fragment", table=name) for s in studies for name in s.tables),
        *(jobs.path("figure", "fragment", figure=name) for s in studies for name in s.figures),
    ]


def claims_fragment(jobs: Jobs) -> list[str]:
    """Return the finished part of the page with the claims; none without a claim."""
    return [jobs.path("claims", "fragment")] if jobs.has_claims else []


def runs_fragment(jobs: Jobs) -> list[str]:
    """Return the finished part of the page that lists the runs."""
    return [jobs.path("runs", "fragment")]


def _downstream(run: str) -> str:
    return str(Run.read(run).downstream)


def _manifest(jobs: Jobs, scale: str, dataset: str) -> str:
    return jobs.path("fetch_downstream", "manifest", scale=scale, dataset=dataset)


def _of_run(
    jobs: Jobs, scale: str, run: str, of: Callable[[Jobs, str, str], list[str]]
) -> list[str]:
    """Return files of the draw that a pre-training sees; none for real pictures."""
    draw = jobs.runs.draw(scale, Run.read(run))
    return of(jobs, scale, draw.key) if draw.dataset in jobs.config.synthetic else []


def _drawn(jobs: Jobs, scale: str, dataset: str, streamed: str, stored: str) -> list[str]:
    """Return one output of the jobs that make the images of a draw of a synthetic dataset."""
    if jobs.config.scales[scale].images == "stream":
        return [jobs.path("sample_parameters", streamed, scale=scale, dataset=dataset)]
    shards = range(jobs.config.scales[scale].shards_of(Draw.read(dataset).dataset))
    return [
        jobs.path("render_shard", stored, scale=scale, dataset=dataset, shard=f"{shard:04d}")
        for shard in shards
    ]


def _initial(jobs: Jobs, scale: str, run: str, output: str) -> list[str]:
    name = Run.read(run).pretraining
    if name in jobs.config.published_weights:
        return [jobs.path("import_weights", output, scale=scale, weights=name)]
    pretraining = jobs.runs.pretraining(scale, Run.read(run))
    if pretraining is None:
        return []
    return [jobs.path("pretrain", output, scale=scale, run=pretraining.key)]


def _pretrained(jobs: Jobs, measurements: list[Measurement]) -> list[str]:
    return [
        jobs.path("pretrain", "record", scale=jobs.scale, run=run.key)
        for run in jobs.runs.pretrainings(measurements)
    ]


def _records(jobs: Jobs, measurements: list[Measurement]) -> list[str]:
    return [jobs.path(m.stage, "record", scale=jobs.scale, run=m.run.key) for m in measurements]
