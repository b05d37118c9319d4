# SPDX-License-Identifier: LGPL-2.1-or-later
"""Data of a machine: signal map, units, columns, state, and one run read back."""
