# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where on the path a machine was, sample by sample."""
