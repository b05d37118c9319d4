# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package file for the machine: program, line map and prediction."""
