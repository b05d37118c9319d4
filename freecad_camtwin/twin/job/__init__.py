# SPDX-License-Identifier: LGPL-2.1-or-later
"""The job to machine: toolpath, tools, stock, program."""
