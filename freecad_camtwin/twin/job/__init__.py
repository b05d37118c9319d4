# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is to be machined: toolpath, tools, stock, program."""
