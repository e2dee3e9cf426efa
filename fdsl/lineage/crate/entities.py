"""What a crate says of files, jobs, tools and the run as a whole, in the terms of its profile."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from fdsl import __version__
from fdsl.io import checksums
from fdsl.lineage.chain import Chain
from fdsl.lineage.crate.content import Content
from fdsl.lineage.expected import PUBLISHED
from fdsl.workflow.plan import Plan

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate  # type: ignore[import-untyped]

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
MIT = "https://spdx.org/licenses/MIT"
COMPLETED = "http://schema.org/CompletedActionStatus"
MACHINE = (
    "processor",
    "cores",
    "memory_mib",
    "gpus",
    "system",
    "device",
    "gpu",
    "processes",
    "threads",
)
NOT_SOFTWARE = {*MACHINE, "machine", "nvidia_driver", "cuda", "cudnn"}
FORMATS = {
    "": "text/plain",
    ".arrow": "application/vnd.apache.arrow.file",
    ".cff": "application/yaml",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".rst": "text/x-rst",
    ".safetensors": "application/octet-stream",
    ".smk": "text/x-snakemake",
    ".tex": "text/x-tex",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
Reference = dict[str, str]
STAGES = (
    "sample_parameters",
    "render_shard",
    "compose",
    "fetch_downstream",
    "released",
    "pretrain",
    "attention",
    "finetune",
    "probe",
    "detect",
    "table",
    "figure",
    "claims",
    "page",
)


class Entities:
    """Makes the entities, in an order of their own."""

    def __init__(self, found: Chain, content: Content, plan: Plan) -> None:
        from rocrate.rocrate import ROCrate

        self.found, self.content, self.plan = found, content, plan
        self.crate: ROCrate = ROCrate(version="1.1")
        self.software: dict[str, Reference] = {}

    def described(self, published: str) -> ROCrate:
        """Return the crate, ready to be written."""
        self.crate.metadata.extra_contexts.append(TERMS)
        for address, (name, version) in PROFILES.items():
            self._context(address, "CreativeWork", name=name, version=version)
        self._context(MIT, "CreativeWork", name="MIT License", identifier=MIT)
        self._workflow()
        self._files()
        self._licences()
        records = self.found.records
        jobs = {name: self._job(name, record) for name, record in records.items()}
        tools = {name: self._tool(record) for name, record in records.items()}
        steps = self._steps(tools)
        controls = [
            self._context(
                f"#control-{name}",
                "ControlAction",
                name=f"orchestration of {record['kind']} {record.get('run', '')}".strip(),
                instrument=steps[record["kind"]],
                object=jobs[name],
            )
            for name, record in records.items()
        ]
        run = self._run()
        engine = self._context("#snakemake", "SoftwareApplication", **self._engine())
        organised = self._context(
            "#engine-run",
            "OrganizeAction",
            name="Run of Snakemake",
            instrument=engine,
            object=controls,
            result=run,
        )
        root = self.crate.root_dataset
        root["datePublished"] = published
        root["name"] = f"{PurePosixPath(self.found.target).name} of fdsl, with its provenance"
        root["description"] = (
            f"{self.found.target}, the records of the {len(records)} jobs behind it, and the"
            " workflow that made it"
        )
        root["license"] = {"@id": MIT}
        root["conformsTo"] = [{"@id": address} for address in PROFILES]
        root["mentions"] = [run, organised, *jobs.values()]
        return self.crate

    def _workflow(self) -> None:
        self.crate.add_workflow(
            source=self.content.carried["Snakefile"],
            dest_path="Snakefile",
            main=True,
            lang="snakemake",
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": "fdsl: formula-driven supervised learning, reproduced",
                "version": __version__,
                "license": {"@id": MIT},
                **self._about("Snakefile"),
            },
        )

    def _files(self) -> None:
        """Add what is carried as files, and what is only spoken of as works."""
        for name, path in sorted(self.content.carried.items()):
            if name != "Snakefile":
                about = {"about": {"@id": "./"}} if name == "README.md" else {}
                properties = {"name": PurePosixPath(name).name, **self._about(name), **about}
                self.crate.add_file(path, name, properties=properties)
        for name in sorted(self._spoken() - self.content.carried.keys()):
            self._context(
                f"#{name}",
                "CreativeWork",
                name=name,
                description="Not carried in this crate.",
                **self._about(name),
            )

    def _spoken(self) -> set[str]:
        inputs = {n for record in self.found.records.values() for n in record.get("inputs", {})}
        return {*self.content.sha256, *inputs, *self.found.files} - self.found.records.keys()

    def _about(self, name: str) -> dict[str, str]:
        """Return size, digest and format of a file, as far as they are known."""
        suffix = PurePosixPath(name).suffix
        format_ = FORMATS.get(suffix) or mimetypes.types_map.get(suffix)
        size = self.content.size.get(name)
        return {
            **({"contentSize": str(size)} if size is not None else {}),
            **({"sha256": self.content.sha256[name]} if name in self.content.sha256 else {}),
            **({"encodingFormat": format_} if format_ else {}),
        }

    def _licences(self) -> None:
        """Say under which terms the real pictures and published weights stand that are behind the
        result.
        """
        for name in sorted(self.found.manifests):
            entry = self.plan.config.downstream.get(PurePosixPath(name).stem)
            if entry is not None and name in self.content.carried:
                self._terms(name, entry.title, entry.licence)
        for name, record in self.found.records.items():
            published = self.plan.config.released.get(str(record.get("run")))
            weights = str(PurePosixPath(name).with_name("model.safetensors"))
            if record["kind"] == "released" and published is not None:
                self._terms(weights, published.title, published.licence)

    def _terms(self, name: str, title: str, licence: str) -> None:
        entity = self.crate.get(self._ref(name)["@id"])
        if entity is not None:
            entity["license"] = self._context(
                f"#terms-{name}", "CreativeWork", name=f"Terms of {title}", description=licence
            )

    def _job(self, name: str, record: Mapping[str, Any]) -> Reference:
        """Add what one job did: from what, with which settings and seed, on what, when."""
        settings = {
            key: record[key]
            for key in ("order", "seed")
            if key in record and record[key] is not None
        }
        given = [
            self._context(
                f"#{key}-{name}",
                "PropertyValue",
                name=key,
                value=(
                    value if isinstance(value, int | float) else json.dumps(value, sort_keys=True)
                ),
            )
            for key, value in settings.items()
        ]
        environment = record.get("environment", {})
        machine = ", ".join(f"{key} {environment[key]}" for key in MACHINE if key in environment)
        return self._context(
            f"#job-{name}",
            "CreateAction",
            name=f"{record['kind']} {record.get('run', '')}".strip(),
            description=f"Code {record.get('code', 'unknown')}; {machine}",
            instrument=self._tool(record),
            object=[*(self._ref(item) for item in sorted(record.get("inputs", {}))), *given],
            result=[
                *(self._ref(item) for item in sorted(record.get("outputs", {}))),
                self._ref(name),
            ],
            actionStatus=COMPLETED,
            **_times([record]),
        )

    def _tool(self, record: Mapping[str, Any]) -> Reference:
        """Add the verb that did a job; another code, machine or set of versions is another tool."""
        environment = record.get("environment", {})
        code = str(record.get("code", "unknown"))
        key = checksums.digest_json([record["kind"], code, environment])[:12]
        version = environment.get("fdsl")
        return self._context(
            f"#tool-{record['kind']}-{key}",
            "SoftwareApplication",
            name=f"fdsl {record['kind'].replace('_', '-')}",
            description=f"The code behind it has the digest {code}.",
            **({"softwareVersion": f"{version}+{code}"} if version else {}),
            **({"operatingSystem": environment["system"]} if "system" in environment else {}),
            softwareRequirements=list(self._packages(environment)),
        )

    def _packages(self, environment: Mapping[str, Any]) -> Iterator[Reference]:
        for name, version in sorted(environment.items()):
            if name not in NOT_SOFTWARE and name != "fdsl":
                yield self._context(
                    f"#{name}-{version}",
                    "SoftwareApplication",
                    name=name,
                    softwareVersion=str(version),
                )

    def _steps(self, tools: Mapping[str, Reference]) -> dict[str, Reference]:
        """Add the rules of the workflow that were used, in the order of the way of the data."""
        kinds: dict[str, list[Reference]] = {}
        for name, record in self.found.records.items():
            known = kinds.setdefault(record["kind"], [])
            if tools[name] not in known:
                known.append(tools[name])
        steps = {}
        for position, kind in enumerate(sorted(kinds, key=_stage)):
            steps[kind] = self._context(
                f"Snakefile#{kind}",
                "HowToStep",
                name=kind,
                position=str(position),
                workExample=kinds[kind],
            )
        workflow = self.crate.mainEntity
        workflow["step"] = _single(list(steps.values()))
        workflow["hasPart"] = _single([tool for known in kinds.values() for tool in known])
        return steps

    def _run(self) -> Reference:
        """Add the run of the workflow as a whole: from what a user gives to the result."""
        found, carried = self.found, self.content.carried
        made = [
            *found.records.get(
                f"{PurePosixPath(found.target).with_suffix('')}.record.json", {}
            ).get("outputs", {})
        ]
        given = ["config.yaml", PUBLISHED, *sorted(found.manifests)]
        return self._context(
            "#run",
            "CreateAction",
            name=f"Making of {found.target}",
            description=f"{len(found.records)} jobs, orchestrated by Snakemake",
            instrument={"@id": "Snakefile"},
            object=[self._ref(name) for name in given if name in carried],
            result=[self._ref(name) for name in sorted(made) or [found.target]],
            actionStatus=COMPLETED,
            **_times(found.records.values()),
        )

    def _engine(self) -> dict[str, Any]:
        versions = {r.get("environment", {}).get("snakemake") for r in self.found.records.values()}
        known = (
            {"softwareVersion": versions.pop()}
            if len(versions) == 1 and None not in versions
            else {}
        )
        return {"name": "Snakemake", "url": "https://snakemake.github.io", **known}

    def _ref(self, name: str) -> Reference:
        """Return the reference to a file: one that is carried, or one that is only spoken of."""
        return {"@id": name if name in self.content.carried else f"#{name}"}

    def _context(self, identifier: str, type_: str, /, **properties: Any) -> Reference:
        """Add an entity that is no file, once, and return the reference to it."""
        from rocrate.model.contextentity import ContextEntity  # type: ignore[import-untyped]

        if self.crate.get(identifier) is None:
            values = {key: _single(value) for key, value in properties.items() if value != []}
            self.crate.add(ContextEntity(self.crate, identifier, {"@type": type_, **values}))
        return {"@id": identifier}


def _single(value: Any) -> Any:
    """Return the only element of a list, as JSON-LD is compacted, and anything else as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _stage(kind: str) -> tuple[int, str]:
    return (STAGES.index(kind) if kind in STAGES else len(STAGES), kind)


def _times(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return when the first of some jobs began and the last ended, where every one of them tells."""
    found = list(records)
    if not all({"started", "finished"} <= record.keys() for record in found):
        return {}
    return {
        "startTime": min(record["started"] for record in found),
        "endTime": max(record["finished"] for record in found),
    }
