"""Jobs that report: tables, figures, claims, the list of runs, the page. None loads torch."""

from __future__ import annotations

from typing import Any

from fdsl.cli.jobs.running import RunningJob


def table(job: RunningJob) -> None:
    """Join records with the published numbers: .csv, and other formats beside it."""
    from fdsl.report.tables import write_table
    from fdsl.schema.study.paper import Study
    from fdsl.schema.study.report_scale import ReportScale

    spec, images = job.spec, {}
    if spec["pictured"]:
        from fdsl.report.gallery import strips

        images = strips(_datasets(spec["pictured"]), seed=spec["seed"])
    write_table(
        Study.model_validate(spec["study"]),
        name=spec["name"],
        scale=ReportScale.model_validate(spec["scale"]),
        records=job.inputs("records"),
        published=job.inputs("published")[0],
        out=job.output("csv"),
        pictures=images,
    )
    job.write_record()


def figure(job: RunningJob) -> None:
    """Draw a figure: .png, and .pdf and .csv (what it plots) beside it."""
    from fdsl.report.figures.inputs import FigureInputs, write

    read = {"records": job.inputs("records"), "files": job.inputs("files")}
    content = {**job.spec, **read, "published": job.inputs("published")[0]}
    write(FigureInputs.model_validate(content), out=job.output("png"))
    job.write_record()


def curves(job: RunningJob) -> None:
    """Draw the learning curves of one training as PNG."""
    from fdsl.report.run_curves import write_curves

    write_curves(job.inputs("metrics")[0], out=job.output("png"))
    job.write_record()


def claims(job: RunningJob) -> None:
    """Decide the claims of the studies: .csv, and other formats beside it."""
    from fdsl.images.difficulty import read
    from fdsl.report.claims import write_claims
    from fdsl.schema.study.paper import Study
    from fdsl.schema.study.report_scale import ReportScale

    studies, scales = job.spec["studies"], job.spec["scales"]
    write_claims(
        {name: Study.model_validate(study) for name, study in studies.items()},
        scales={name: ReportScale.model_validate(scale) for name, scale in scales.items()},
        records=job.inputs("records"),
        published=job.inputs("published")[0],
        out=job.output("csv"),
        pretrained=job.inputs("pretrained"),
        difficulty={path.stem: read(path).accuracy for path in job.inputs("difficulty")},
    )
    job.write_record()


def runs(job: RunningJob) -> None:
    """List all runs with results, costs and learning curves."""
    from fdsl.report.runs_list import write_runs

    write_runs(job.inputs("records"), out=job.output("csv"))
    job.write_record()


def page(job: RunningJob) -> None:
    """Join the finished parts of all reports, and a gallery of formulas, on one page."""
    from fdsl.report.page import PageStudy, write_page

    spec, parts = job.spec, {path.name.split(".")[0]: path for path in job.inputs("reports")}
    studies = [
        PageStudy(
            title=study["title"],
            reference=study["reference"],
            fragments=tuple(parts[name] for name in study["reports"]),
        )
        for study in spec["studies"]
    ]
    write_page(
        studies,
        title=spec["scale"]["title"],
        banner=spec["scale"]["banner"],
        datasets=_datasets(spec["datasets"]),
        seed=spec["seed"],
        out=job.output("page"),
        claims=next(iter(job.inputs("claims")), None),
        runs=job.inputs("runs")[0],
    )
    job.write_record()


def _datasets(entries: dict[str, Any]) -> dict[str, Any]:
    """Return the synthetic datasets of a spec."""
    from fdsl.schema.catalogue import SyntheticDataset

    return {name: SyntheticDataset.model_validate(entry) for name, entry in entries.items()}
