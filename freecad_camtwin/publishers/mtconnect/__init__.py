# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small MTConnect agent: a ``model`` of the machine, a ``buffer`` of what it told, ``documents``, ``http``."""
