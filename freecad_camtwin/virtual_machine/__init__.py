# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtual machine tool for users without a machine: hidden ``truth``, ``motion``, ``machine``, ``show``."""
