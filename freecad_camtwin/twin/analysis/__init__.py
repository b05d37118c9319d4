# SPDX-License-Identifier: LGPL-2.1-or-later
"""The prediction of a job, in figures, sentences and JSON."""
