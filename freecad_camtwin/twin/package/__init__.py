# SPDX-License-Identifier: LGPL-2.1-or-later
"""Program, map of its lines, and prediction in one file, for the machine's side."""
