// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricUnit, queryUnit } from './guess.ts';

test('a metric says its unit last', () => {
    const rows: [string, string][] = [
        ['node_memory_MemFree_bytes', 'bytes'], ['node_network_receive_bytes_total', 'bytes'], ['http_request_duration_seconds', 's'],
        ['http_request_duration_seconds_sum', 's'], ['http_request_duration_seconds_count', 'short'], ['x_seconds_bucket', 'short'],
        ['node_boot_time_seconds', 'short'], ['push_time_seconds', 'short'], ['last_success_timestamp_seconds', 'short'],
        ['cache_hit_ratio', 'percentunit'], ['node_hwmon_temp_celsius', 'celsius'], ['up', 'short'],
    ];
    for (const [name, unit] of rows) assert.equal(metricUnit(name), unit, name);
});

test('a query keeps, changes or loses it', () => {
    const rows: [string, string][] = [
        ['node_memory_MemFree_bytes{instance="a*b"}', 'bytes'],
        ['sum by (job) (rate(node_network_receive_bytes_total{device!="lo"}[5m]))', 'Bps'],
        ['a_bytes - b_bytes', 'bytes'],
        ['a_bytes - b_seconds', 'short'],
        ['a_bytes / b_bytes', 'short'],
        ['a_bytes * 2', 'short'],
        ['count(a_bytes)', 'short'],
        ['rate(process_cpu_seconds_total[1m])', 'short'],
        ['increase(gc_seconds_total[1h])', 's'],
        ['histogram_quantile(0.95, sum by (le) (rate(x_seconds_bucket[5m])))', 's'],
        ['histogram_quantile(0.9, rate(size_bytes[5m]))', 'bytes'],
        ['max_over_time(x_seconds[1h:5m] offset 1d)', 's'],
        ['topk(3, x_bytes) or y_bytes # z_seconds', 'bytes'],
        ['x_bytes > 1e9', 'bytes'],
        ['time() - node_boot_time_seconds', 'short'],
        ['1', 'short'],
        ['', 'short'],
    ];
    for (const [query, unit] of rows) assert.equal(queryUnit(query), unit, query);
});
