# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtual machine tool, for whoever has none: its hidden ``truth``, its ``motion``, its ``machine``, its ``show``."""
