# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a path takes: motion models of controllers, and their identification."""
