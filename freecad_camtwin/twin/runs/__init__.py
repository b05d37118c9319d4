# SPDX-License-Identifier: LGPL-2.1-or-later
"""Executions: recorded runs compared with the prediction."""
