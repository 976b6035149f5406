"""Backups: a whole deployment as it was at one moment, in a place of its own, and back again.

A place holds any number of backups and the stored files of all of them, each file once. A backup is there
when its manifest is, which is written last.
"""
