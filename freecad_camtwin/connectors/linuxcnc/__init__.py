# SPDX-License-Identifier: LGPL-2.1-or-later
"""LinuxCNC: a ``poller`` process beside LinuxCNC, in the system's Python, and ``controller``, which reads it."""
