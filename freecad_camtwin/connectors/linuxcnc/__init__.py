# SPDX-License-Identifier: LGPL-2.1-or-later
"""LinuxCNC: a ``poller`` beside the controller, in the system's Python, and the ``controller`` that hears it."""
