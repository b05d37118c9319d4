# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recordings at rest: what a machine did, one file per run, and its copies for other databases.

``recording`` writes a run, ``reader`` reads it, also while it is written; ``schema`` is the file they share and
``packing`` the bytes in it. ``export_parquet``, ``postgres`` and ``influx`` carry a run elsewhere. docs/store.md tells
the form of the file.
"""
