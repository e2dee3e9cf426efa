"""The entities of a crate: files, jobs, tools and the run, in the terms of its profile."""

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
from fdsl.workflow.inputs import PUBLISHED
from fdsl.workflow.jobs import Jobs

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
HARDWARE = ("processor", "cores", "memory_mib", "gpus", "system", "device", "gpu")
MACHINE = (*HARDWARE, "processes", "threads")
NOT_SOFTWARE = {*MACHINE, "machine", "nvidia_driver", "cuda", "cudnn"}
FORMATS = {
    "": "text/plain",
    ".arrow": "application/vnd.apache.arrow.file",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".rst": "text/x-rst",
    ".safetensors": "application/octet-stream",
    ".smk": "text/x-snakemake",
    ".tex": "text/x-tex",
    ".toml": "application/toml",
    **dict.fromkeys((".cff", ".yaml", ".yml"), "application/yaml"),
}
Reference = dict[str, str]
IMAGES = ("sample_parameters", "render_shard", "difficulty", "compose", "fetch_downstream")
TRAININGS = ("import_weights", "pretrain", "attention", "finetune", "probe", "detect")
STAGES = (*IMAGES, *TRAININGS, "table", "figure", "claims", "runs", "page")


class Entities:
    """Creates the entities of a chain."""

    def __init__(self, found: Chain, content: Content, table: Jobs) -> None:
        from rocrate.rocrate import ROCrate

        self.found, self.content, self.config = found, content, table.config
        self.crate: ROCrate = ROCrate(version="1.1")

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
        run = self._run()
        organised = self._organised(run, jobs)
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

    def _organised(self, run: Reference, jobs: Mapping[str, Reference]) -> Reference:
        """Add Snakemake's orchestration of the jobs."""
        records = self.found.records
        steps = self._steps({name: self._tool(record) for name, record in records.items()})
        controls = []
        for name, record in records.items():
            about: dict[str, Any] = {"instrument": steps[record["kind"]], "object": jobs[name]}
            title = f"orchestration of {_title(record)}"
            controls.append(self._context(f"#control-{name}", "ControlAction", name=title, **about))
        versions = {r.get("environment", {}).get("snakemake") for r in records.values()}
        known = {"softwareVersion": str(*versions)} if len(versions) == 1 and all(versions) else {}
        about = {"name": "Snakemake", "url": "https://snakemake.github.io", **known}
        engine = self._context("#snakemake", "SoftwareApplication", **about)
        about = {"instrument": engine, "object": controls, "result": run}
        return self._context("#engine-run", "OrganizeAction", name="Run of Snakemake", **about)

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
        """Add the included files as files, and the others as works."""
        for name, path in sorted(self.content.carried.items()):
            if name != "Snakefile":
                about = {"about": {"@id": "./"}} if name == "README.md" else {}
                properties = {"name": PurePosixPath(name).name, **self._about(name), **about}
                self.crate.add_file(path, name, properties=properties)
        inputs = {n for record in self.found.records.values() for n in record.get("inputs", {})}
        names = {*self.content.sha256, *inputs, *self.found.files} - self.found.records.keys()
        for name in sorted(names - self.content.carried.keys()):
            properties = {"description": "Not carried in this crate.", **self._about(name)}
            self._context(f"#{name}", "CreativeWork", name=name, **properties)

    def _about(self, name: str) -> dict[str, str]:
        """Return size, digest and format of a file, as far as they are known."""
        suffix = PurePosixPath(name).suffix
        format_ = FORMATS.get(suffix) or mimetypes.types_map.get(suffix)
        size = self.content.size.get(name)
        about = {
            "contentSize": None if size is None else str(size),
            "sha256": self.content.sha256.get(name),
            "encodingFormat": format_,
        }
        return {key: value for key, value in about.items() if value is not None}

    def _licences(self) -> None:
        """Add the licences of the real images and published weights behind the result."""
        for name in sorted(self.found.manifests):
            entry = self.config.downstream.get(PurePosixPath(name).stem)
            if entry is not None and name in self.content.carried:
                self._terms(name, entry.title, entry.licence)
        for name, record in self.found.records.items():
            published = self.config.published_weights.get(str(record.get("run")))
            weights = str(PurePosixPath(name).with_name("model.safetensors"))
            if record["kind"] == "import_weights" and published is not None:
                self._terms(weights, published.title, published.licence)

    def _terms(self, name: str, title: str, licence: str) -> None:
        entity = self.crate.get(self._ref(name)["@id"])
        if entity is not None:
            entity["license"] = self._context(
                f"#terms-{name}", "CreativeWork", name=f"Terms of {title}", description=licence
            )

    def _job(self, name: str, record: Mapping[str, Any]) -> Reference:
        """Add what one job did: from what, with which settings and seed, on what, when."""
        given = []
        for key in ("spec", "seed"):
            if (value := record.get(key)) is not None:
                text = json.dumps(value, sort_keys=True) if isinstance(value, dict) else value
                given.append(self._context(f"#{key}-{name}", "PropertyValue", name=key, value=text))
        environment = record.get("environment", {})
        machine = ", ".join(f"{key} {environment[key]}" for key in MACHINE if key in environment)
        return self._context(
            f"#job-{name}",
            "CreateAction",
            name=_title(record),
            description=f"Code {record.get('code', 'unknown')}; {machine}",
            instrument=self._tool(record),
            object=[*(self._ref(item) for item in sorted(record.get("inputs", {}))), *given],
            result=[self._ref(item) for item in (*sorted(record.get("outputs", {})), name)],
            actionStatus=COMPLETED,
            **_times([record]),
        )

    def _tool(self, record: Mapping[str, Any]) -> Reference:
        """Add the command of a job; other code, machine or versions are another tool."""
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
                about = {"name": name, "softwareVersion": str(version)}
                yield self._context(f"#{name}-{version}", "SoftwareApplication", **about)

    def _steps(self, tools: Mapping[str, Reference]) -> dict[str, Reference]:
        """Add the rules that were used, in the order of the data flow."""
        kinds: dict[str, list[Reference]] = {}
        for name, record in self.found.records.items():
            known = kinds.setdefault(record["kind"], [])
            if tools[name] not in known:
                known.append(tools[name])
        steps = {}
        for position, kind in enumerate(sorted(kinds, key=_stage)):
            about = {"name": kind, "position": str(position), "workExample": kinds[kind]}
            steps[kind] = self._context(f"Snakefile#{kind}", "HowToStep", **about)
        workflow = self.crate.mainEntity
        workflow["step"] = _single(list(steps.values()))
        workflow["hasPart"] = _single([tool for known in kinds.values() for tool in known])
        return steps

    def _run(self) -> Reference:
        """Add the run of the whole workflow, from the user's files to the result."""
        found, carried = self.found, self.content.carried
        record = f"{PurePosixPath(found.target).with_suffix('')}.record.json"
        made = sorted(found.records.get(record, {}).get("outputs", {}))
        given = ["config.yaml", PUBLISHED, *sorted(found.manifests)]
        return self._context(
            "#run",
            "CreateAction",
            name=f"Making of {found.target}",
            description=f"{len(found.records)} jobs, orchestrated by Snakemake",
            instrument={"@id": "Snakefile"},
            object=[self._ref(name) for name in given if name in carried],
            result=[self._ref(name) for name in made or [found.target]],
            actionStatus=COMPLETED,
            **_times(found.records.values()),
        )

    def _ref(self, name: str) -> Reference:
        """Return the reference to a file, included or only described."""
        return {"@id": name if name in self.content.carried else f"#{name}"}

    def _context(self, identifier: str, type_: str, /, **properties: Any) -> Reference:
        """Add an entity that is no file, unless it exists, and return its reference."""
        from rocrate.model.contextentity import ContextEntity  # type: ignore[import-untyped]

        if self.crate.get(identifier) is None:
            values = {key: _single(value) for key, value in properties.items() if value != []}
            self.crate.add(ContextEntity(self.crate, identifier, {"@type": type_, **values}))
        return {"@id": identifier}


def _single(value: Any) -> Any:
    """Return the only element of a list, as in compacted JSON-LD, and anything else unchanged."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _title(record: Mapping[str, Any]) -> str:
    return f"{record['kind']} {record.get('run', '')}".strip()


def _stage(kind: str) -> tuple[int, str]:
    return (STAGES.index(kind) if kind in STAGES else len(STAGES), kind)


def _times(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return start and end of a group of jobs; nothing if a record lacks its times."""
    found = list(records)
    if not all({"started", "finished"} <= record.keys() for record in found):
        return {}
    return {
        "startTime": min(record["started"] for record in found),
        "endTime": max(record["finished"] for record in found),
    }
