#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start to ready with nothing stored (median of ROUNDS), resident memory of the default set-up."""
import statistics
import sys
import time

from common import peers, running, table

ROUNDS = 20
SETTLE_S = int(sys.argv[1]) if len(sys.argv) > 1 else 60

rows = []
for name, command in peers():
    starts = []
    for _ in range(ROUNDS):
        with running(name, command) as peer:
            starts.append(peer.ready_s * 1000)
    with running(name, command) as peer:
        first = peer.memory_mb()
        time.sleep(SETTLE_S)
        rows.append((name, f"{statistics.median(starts):.0f}", f"{max(starts):.0f}",
                     f"{first:.1f}", f"{peer.memory_mb():.1f}", f"{peer.cpu_s() / SETTLE_S * 100:.2f}"))
table("start with nothing stored, then the default set-up",
      ("server", "ready ms, median", "worst", "MB at start", f"MB after {SETTLE_S} s", "CPU %"), rows)
