# SPDX-License-Identifier: LGPL-2.1-or-later
"""Feed planning: the plan, its three writers, and the proof that only feeds changed."""
