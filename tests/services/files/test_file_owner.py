"""Files stay where they are when the instance's secret becomes another one."""

from __future__ import annotations

from pathlib import Path

from parabola.backend import Backend, BackendConfig, open_database
from parabola.database.model.shown_rows import StoredFile
from parabola.functions.processes.host_set import HostConfig
from parabola.services.files.file_owner import owner_of_files
from parabola.services.files.stored_files import FILES
from parabola.services.sign_in.admin_keys import derive_key
from parabola.testing.in_process_host import InProcessHosts
from parabola.values.encoding import Int64

FIRST, SECOND = b"1" * 32, b"2" * 32


async def test_the_owner_is_decided_once(tmp_path: Path) -> None:
    database = await open_database(tmp_path)
    owner = await owner_of_files(database, FIRST)
    assert owner == derive_key(FIRST, "owner of stored files").hex()  # where earlier versions looked
    assert await owner_of_files(database, SECOND) == owner
    await database.close()
    database = await open_database(tmp_path)
    assert await owner_of_files(database, SECOND) == owner
    await database.close()


async def test_files_of_an_earlier_version_say_whose_they_are(tmp_path: Path) -> None:
    database = await open_database(tmp_path)

    def row(key: str) -> dict[str, object]:
        return StoredFile(storage_id=key[-1], storage_key=key, sha256=b"", size=Int64(0)).fields()

    for key in ("first/a", "newest/b"):
        await database.transact(lambda tx, key=key: tx.insert_system(FILES, row(key)), source="test")
    assert await owner_of_files(database, SECOND) == "newest"
    await database.close()


async def test_a_new_secret_finds_all_files(tmp_path: Path) -> None:
    async def pieces() -> object:
        yield b"hello"

    async def opened(secret: bytes) -> Backend:
        return await Backend.open(
            BackendConfig(
                data_dir=tmp_path / "data",
                instance_secret=secret.hex(),
                file_storage=f"file://{tmp_path}/shared",
                hosts=HostConfig(in_process=InProcessHosts(tmp_path)),
            )
        )

    backend = await opened(FIRST)
    await backend.files.upload(pieces(), None, None)  # type: ignore[arg-type]
    rows = (
        await backend.database.begin()
        .query_system(
            {"source": {"type": "FullTableScan", "tableName": FILES, "order": "asc"}, "operators": []}
        )
        .collect()
    )
    file = StoredFile.of(rows[0])
    await backend.close()
    backend = await opened(SECOND)
    found = await backend.files.find(file.storage_id)
    assert found is not None
    assert [piece async for piece in await backend.files.open(found, 0, 5)] == [b"hello"]
    await backend.close()
