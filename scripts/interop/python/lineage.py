"""Reads the lineage exports of Headwater with other people's libraries: `prov` and `openlineage`.

Usage: lineage.py prov FILE.prov.json | lineage.py openlineage FILE.json FOLDER
"""

import json
import sys
from pathlib import Path


def read_prov(path):
    from prov.model import ProvActivity, ProvDerivation, ProvDocument, ProvEntity

    document = ProvDocument.deserialize(path, format="json")
    # Through the library and back: what it understood is what we wrote.
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    assert again == document, "the document changed on the way through the library"
    counts = [len(list(document.get_records(kind))) for kind in (ProvEntity, ProvActivity, ProvDerivation)]
    assert counts[0] > 0 and counts[2] > 0, "no entities or no derivations"
    print("prov: {} entities, {} activities, {} derivations".format(*counts))
    print(f"prov: {len(document.get_provn().splitlines())} lines of PROV-N made from it")


def read_openlineage(path, folder):
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.transport.file import FileConfig, FileTransport

    target = Path(folder) / "emitted.ndjson"
    client = OpenLineageClient(transport=FileTransport(FileConfig(str(target), append=True)))
    events = json.loads(Path(path).read_text(encoding="utf-8"))
    events = events if isinstance(events, list) else [events]
    for event in events:
        datasets = {
            side: [kind(namespace=d["namespace"], name=d["name"]) for d in event.get(side, [])]
            for side, kind in (("inputs", InputDataset), ("outputs", OutputDataset))
        }
        client.emit(
            RunEvent(
                eventType=RunState[event["eventType"]],
                eventTime=event["eventTime"],
                run=Run(runId=event["run"]["runId"]),
                job=Job(namespace=event["job"]["namespace"], name=event["job"]["name"]),
                producer=event["producer"],
                **datasets,
            )
        )
    emitted = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    for ours, theirs in zip(events, emitted, strict=True):
        for field in ("eventType", "eventTime", "producer"):
            assert ours[field] == theirs[field], field
        assert ours["run"]["runId"] == theirs["run"]["runId"], "runId"
        for side in ("inputs", "outputs"):
            names = [[(d["namespace"], d["name"]) for d in event.get(side, [])] for event in (ours, theirs)]
            assert names[0] == names[1], side
    print(f"openlineage: {len(emitted)} run events taken and emitted again by its client")


if __name__ == "__main__":
    try:
        {"prov": read_prov, "openlineage": read_openlineage}[sys.argv[1]](*sys.argv[2:])
    except (AssertionError, OSError, ValueError, KeyError) as problem:
        sys.exit(f"{type(problem).__name__}: {problem}")
