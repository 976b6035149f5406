"""What keeps revisions and index entries on a disk: the contract, and SQLite."""
