# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small MTConnect agent: ``model`` of the machine, ``buffer`` of observations, ``documents``, ``http`` server."""
