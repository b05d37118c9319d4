# SPDX-License-Identifier: LGPL-2.1-or-later
"""The common base: array types, safe archives, whole files, numbers and names written for people."""
