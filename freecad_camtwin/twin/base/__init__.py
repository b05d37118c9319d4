# SPDX-License-Identifier: LGPL-2.1-or-later
"""What everything stands on: array types, safe archives, whole files, words for people."""
