# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recordings in files: the data of a machine, one file per run, and its exports to other databases.

``recording`` writes a run, ``reader`` reads it, also during writing; ``schema`` defines the file and ``packing`` the
bytes of its columns. ``export_parquet``, ``postgres`` and ``influx`` export a run. docs/store.md describes the file
format.
"""
