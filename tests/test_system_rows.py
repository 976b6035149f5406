"""Rows of system tables: whatever is stored is read into a struct and stored again as the same bytes."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import NODEFAULT, UNSET, inspect

from parabola.backend import Backend, BackendConfig
from parabola.database.model.schema_rows import StagedValidator, StoredSchema, ValidationProgress
from parabola.database.model.shown_rows import JobState, ScheduledJob, StoredFile
from parabola.database.model.system_rows import SystemRow
from parabola.database.model.table_rows import IndexRow, TableRow
from parabola.database.upkeep.members import NodeRow
from parabola.functions.calls.session_requests import SessionResult
from parabola.functions.deployed.component_rows import ComponentRow
from parabola.functions.deployed.cron_rows import CronJobLog, CronJobRow, NextRun
from parabola.functions.deployed.declared_definitions import DefinitionRow
from parabola.functions.deployed.deployment_events import DeploymentEvent
from parabola.functions.deployed.deployment_store import (
    AuthProviderRow,
    DeploymentRow,
    EnvironmentVariable,
    ModuleRow,
)
from parabola.functions.deployed.function_handles import FunctionHandle
from parabola.functions.deployed.package_rows import PackagesRow
from parabola.functions.deployed.stop_state import StopState
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.outcomes.audit_lines import AuditRow
from parabola.functions.preparation import PreparedRow
from parabola.services.archives.export_record import ExportRecord
from parabola.services.errands import ErrandRow
from parabola.services.files.file_owner import FileOwnerRow
from parabola.services.imports.record import ImportRow
from parabola.services.log_streams.stream_rows import LogStream
from parabola.services.sign_in.known_admin_keys import AdminKeyRow
from parabola.services.sign_in.signing_keys import SigningKeyRow
from parabola.values.encoding import Int64, dumps, loads
from parabola.values.errors import InternalServerError

sys.path.append(str(Path(__file__).parents[1] / "tools"))
from keep_release import CONFIG, KEPT

ROWS: dict[str, type[SystemRow]] = {
    "_admin_keys": AdminKeyRow,
    "_audit_lines": AuditRow,
    "_auth": AuthProviderRow,
    "_component_definitions": DefinitionRow,
    "_components": ComponentRow,
    "_cron_job_logs": CronJobLog,
    "_cron_jobs": CronJobRow,
    "_cron_next_run": NextRun,
    "_deployment_audit_log": DeploymentEvent,
    "_environment_variables": EnvironmentVariable,
    "_exports": ExportRecord,
    "_file_owner": FileOwnerRow,
    "_file_storage": StoredFile,
    "_function_handles": FunctionHandle,
    "_index": IndexRow,
    "_errands": ErrandRow,
    "_external_deps_packages": PackagesRow,
    "_nodes": NodeRow,
    "_prepared_deployments": PreparedRow,
    "_backend_state": StopState,
    "_log_sinks": LogStream,
    "_modules": ModuleRow,
    "_scheduled_jobs": ScheduledJob,
    "_schema_validation_progress": ValidationProgress,
    "_schemas": StoredSchema,
    "_session_requests": SessionResult,
    "_signing_keys": SigningKeyRow,
    "_snapshot_imports": ImportRow,
    "_staged_validators": StagedValidator,
    "_tables": TableRow,
    "_udf_config": DeploymentRow,
}


def test_every_kind_of_row_is_tried() -> None:
    assert set(ROWS.values()) == set(SystemRow.__subclasses__())


def strategy(type: inspect.Type) -> st.SearchStrategy[Any]:
    """Stored values that a field may have; a field that may be left out is `UNSET` at times."""
    match type:
        case inspect.StrType():
            return st.text(max_size=5)
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.BoolType():
            return st.booleans()
        case inspect.BytesType():
            return st.binary(max_size=5)
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType():
            return st.sampled_from(type.values)
        case inspect.VarTupleType():
            return st.lists(strategy(type.item_type), max_size=3)
        case inspect.UnionType():
            return st.one_of(*(strategy(each) for each in type.types))
        case inspect.StructType():
            return fields(type)
        case inspect.CustomType() if type.cls is Int64:
            return st.integers(-(2**63), 2**63 - 1).map(Int64)
        case inspect.DictType():
            return st.dictionaries(
                st.from_regex(r"[a-z]{1,3}", fullmatch=True), st.text(max_size=3), max_size=2
            )
        case inspect.AnyType():
            return st.just(Int64(7))
    raise AssertionError(type)


def fields(struct: inspect.StructType) -> st.SearchStrategy[dict[str, Any]]:
    names = [field for field in struct.fields if not field.encode_name.startswith("_")]
    tag = {} if struct.tag_field is None else {struct.tag_field: struct.tag}

    def row(values: tuple[Any, ...]) -> dict[str, Any]:
        drawn = zip(names, values, strict=True)
        return tag | {field.encode_name: value for field, value in drawn if value is not UNSET}

    optional = [not field.required and field.default is NODEFAULT for field in names]
    left_out = (st.just(UNSET) if is_optional else st.nothing() for is_optional in optional)
    values = (one | strategy(field.type) for one, field in zip(left_out, names, strict=True))
    return st.tuples(*values).map(row)


@pytest.mark.parametrize("table", ROWS)
def test_a_stored_row_survives_byte_for_byte(table: str) -> None:
    kind = ROWS[table]
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)

    @given(fields(info))
    def check(row: dict[str, Any]) -> None:
        raw = dumps({**row, "_id": "i", "_creationTime": 1.5})
        read = kind.read(loads(raw))
        assert (read.id, read.creation_time) == ("i", 1.5)
        assert dumps({**read.fields(), "_id": "i", "_creationTime": 1.5}) == raw

    check()


@pytest.mark.parametrize(
    "archive", sorted(KEPT.glob("*.tar.gz")), ids=lambda path: path.name.removesuffix(".tar.gz")
)
async def test_rows_of_every_release_are_stored_as_they_were(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    backend = await Backend.open(BackendConfig(tmp_path, **CONFIG))
    seen = 0
    try:
        tx = backend.database.begin()
        for table, kind in ROWS.items():
            for row in await system_rows(tx, table):
                again = {**kind.of(row).fields(), "_id": row.id, "_creationTime": row.value["_creationTime"]}
                assert dumps(again) == row.raw, table
                seen += 1
    finally:
        await backend.close()
    assert seen > 5


def test_fields_of_later_versions_are_passed_over_and_those_of_none_are_unset() -> None:
    row = {
        "_id": "i",
        "_creationTime": 1.0,
        "udfPath": "m.py:f",
        "args": "{}",
        "originalScheduledTs": 5.0,
        "state": {"type": "failed", "error": "no", "more": 1.0},
        "completedTs": 6.0,
        "more": [1.0],
    }
    job = ScheduledJob.read(row)
    assert job.state == JobState(type="failed", error="no")
    assert (job.lane, job.due_ns, job.completed_ts) == (UNSET, None, 6.0)
    assert job.has_ended


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"_id": "i"}, "The row i of a system table is no StoredFile: "),
        (
            {"_id": "i", "storageId": 7.0, "sha256": b"", "size": Int64(1)},
            r"Expected `str`, got `float` - at `\$\.storageId`",
        ),
        ({"_id": "i", "storageId": "u", "sha256": b"", "size": 1.0}, r"Expected `Int64`, got `float`"),
    ],
)
def test_what_is_no_such_row_is_a_fault_of_the_server(row: dict[str, Any], text: str) -> None:
    with pytest.raises(InternalServerError, match=text):
        StoredFile.read(row)
