// SPDX-License-Identifier: Apache-2.0
//
// What the start page shows. A new panel is one more row.
// `$host` selects the chosen host's own metrics, `$self` this server's, `$window` is the rate window.

import type { PanelDef } from '../../chart/panel-def.ts';

export interface TileDef {
    id: string;
    title: string;
    unit: string;
    expr: string;
    /** A share of something: drawn as a bar, coloured from `warn` and `bad` on. */
    share?: boolean;
    warn?: number;
    bad?: number;
}

const disks = 'device!~"loop.*|ram.*|zram.*|fd.*|sr.*"';
const realFilesystems = 'fstype!~"tmpfs|ramfs|devtmpfs|squashfs|efivarfs|autofs|nsfs",mountpoint!~"/(etc|proc|sys|dev)/.*"';
const links = 'device!="lo"';

export const hostTiles: readonly TileDef[] = [
    { id: 'cpu', title: 'CPU busy', unit: 'percentunit', share: true, warn: 0.8, bad: 0.95, expr: '1 - avg(rate(node_cpu_seconds_total{$host,mode="idle"}[$window]))' },
    { id: 'load', title: 'Load, 1 min', unit: 'short', expr: 'node_load1{$host}' },
    { id: 'memory', title: 'Memory used', unit: 'percentunit', share: true, warn: 0.85, bad: 0.95, expr: '1 - node_memory_MemAvailable_bytes{$host} / node_memory_MemTotal_bytes{$host}' },
    { id: 'disk', title: 'Fullest disk', unit: 'percentunit', share: true, warn: 0.8, bad: 0.92, expr: `max(1 - node_filesystem_avail_bytes{$host,${realFilesystems}} / (node_filesystem_size_bytes{$host,${realFilesystems}} > 0))` },
    { id: 'received', title: 'Received', unit: 'Bps', expr: `sum(rate(node_network_receive_bytes_total{$host,${links}}[$window]))` },
    { id: 'sent', title: 'Sent', unit: 'Bps', expr: `sum(rate(node_network_transmit_bytes_total{$host,${links}}[$window]))` },
];

/** Twelve, like those of the server: rows of one to four are full. */
export const hostPanels: readonly PanelDef[] = [
    {
        id: 'cpu',
        title: 'CPU busy by mode',
        help: 'Share of all cores that was busy, by what it was busy with. High iowait means waiting for disks, high steal means a crowded virtual machine host.',
        unit: 'percentunit',
        stacked: true,
        order: ['user', 'system', 'iowait', 'nice', 'softirq', 'irq', 'steal'],
        min: 0,
        queries: [{ expr: 'avg by (mode) (rate(node_cpu_seconds_total{$host,mode!="idle"}[$window]))', legend: '{{mode}}' }],
    },
    {
        id: 'load',
        title: 'Load',
        help: 'Processes that run or wait for a core or a disk. Above the number of cores for long means there is more work than the machine can do.',
        unit: 'short',
        min: 0,
        queries: [
            { expr: 'node_load1{$host}', legend: '1 min' },
            { expr: 'node_load5{$host}', legend: '5 min' },
            { expr: 'node_load15{$host}', legend: '15 min' },
            { expr: 'count(node_cpu_seconds_total{$host,mode="idle"})', legend: 'cores', dashed: true },
        ],
    },
    {
        id: 'memory',
        title: 'Memory',
        help: 'What fills the memory. Caches are given back when programs need room; used memory near the total is the danger.',
        unit: 'bytes',
        stacked: true,
        min: 0,
        queries: [
            { expr: 'node_memory_MemTotal_bytes{$host} - node_memory_MemFree_bytes{$host} - node_memory_Buffers_bytes{$host} - node_memory_Cached_bytes{$host} - node_memory_SReclaimable_bytes{$host}', legend: 'used' },
            { expr: 'node_memory_Cached_bytes{$host} + node_memory_Buffers_bytes{$host} + node_memory_SReclaimable_bytes{$host}', legend: 'caches' },
            { expr: 'node_memory_MemFree_bytes{$host}', legend: 'free' },
            { expr: 'node_memory_MemTotal_bytes{$host}', legend: 'total', dashed: true },
        ],
    },
    {
        id: 'pressure',
        title: 'Pressure',
        help: 'Share of time in which something waited for a resource (pressure stall information). It rises before anything else looks wrong.',
        unit: 'percentunit',
        min: 0,
        queries: [
            { expr: 'rate(node_pressure_cpu_waiting_seconds_total{$host}[$window])', legend: 'CPU' },
            { expr: 'rate(node_pressure_io_waiting_seconds_total{$host}[$window])', legend: 'I/O' },
            { expr: 'rate(node_pressure_memory_waiting_seconds_total{$host}[$window])', legend: 'memory' },
        ],
    },
    {
        id: 'network',
        title: 'Network traffic',
        help: 'Bytes a second of each interface: received above, sent below the line.',
        unit: 'Bps',
        queries: [
            { expr: `rate(node_network_receive_bytes_total{$host,${links}}[$window])`, legend: '{{device}} in' },
            { expr: `rate(node_network_transmit_bytes_total{$host,${links}}[$window])`, legend: '{{device}} out', mirrored: true },
        ],
    },
    {
        id: 'network-errors',
        title: 'Network errors and drops',
        help: 'Packets a second that were broken or thrown away: received above, sent below the line. Nothing here is how it should be.',
        unit: 'pps',
        queries: [
            { expr: `rate(node_network_receive_errs_total{$host,${links}}[$window]) + rate(node_network_receive_drop_total{$host,${links}}[$window])`, legend: '{{device}} in' },
            { expr: `rate(node_network_transmit_errs_total{$host,${links}}[$window]) + rate(node_network_transmit_drop_total{$host,${links}}[$window])`, legend: '{{device}} out', mirrored: true },
        ],
    },
    {
        id: 'disk-throughput',
        title: 'Disk throughput',
        help: 'Bytes a second of each device: read above, written below the line.',
        unit: 'Bps',
        queries: [
            { expr: `rate(node_disk_read_bytes_total{$host,${disks}}[$window])`, legend: '{{device}} read' },
            { expr: `rate(node_disk_written_bytes_total{$host,${disks}}[$window])`, legend: '{{device}} write', mirrored: true },
        ],
    },
    {
        id: 'disk-latency',
        title: 'Disk latency',
        help: 'Mean time from asking a device until it is done. A few milliseconds are usual; tens are felt by everything that waits for the disk.',
        unit: 's',
        queries: [
            { expr: `rate(node_disk_read_time_seconds_total{$host,${disks}}[$window]) / (rate(node_disk_reads_completed_total{$host,${disks}}[$window]) > 0)`, legend: '{{device}} read' },
            { expr: `rate(node_disk_write_time_seconds_total{$host,${disks}}[$window]) / (rate(node_disk_writes_completed_total{$host,${disks}}[$window]) > 0)`, legend: '{{device}} write', mirrored: true },
        ],
    },
    {
        id: 'disk-utilisation',
        title: 'Disk utilisation',
        help: 'Share of time in which the device had work. A spinning disk near 100% is full up; an SSD may still have room.',
        unit: 'percentunit',
        min: 0,
        queries: [{ expr: `rate(node_disk_io_time_seconds_total{$host,${disks}}[$window])`, legend: '{{device}}' }],
    },
    {
        id: 'filesystem',
        title: 'Filesystems',
        help: 'How full each filesystem is, fullest first, and what is free for ordinary users.',
        unit: 'percentunit',
        kind: 'bars',
        queries: [
            { expr: `1 - max by (mountpoint) (node_filesystem_avail_bytes{$host,${realFilesystems}}) / (max by (mountpoint) (node_filesystem_size_bytes{$host,${realFilesystems}}) > 0)`, legend: '{{mountpoint}}' },
            { expr: `max by (mountpoint) (node_filesystem_avail_bytes{$host,${realFilesystems}})`, legend: '{{mountpoint}}' },
            { expr: `max by (mountpoint) (node_filesystem_size_bytes{$host,${realFilesystems}})`, legend: '{{mountpoint}}' },
        ],
    },
    {
        id: 'paging',
        title: 'Paging',
        help: 'Pages a second that had to be read from disk. Swapping, and major faults that stay, say that memory is too small for what runs.',
        unit: 'ops',
        min: 0,
        queries: [
            { expr: 'rate(node_vmstat_pgmajfault{$host}[$window])', legend: 'major faults' },
            { expr: 'rate(node_vmstat_pswpin{$host}[$window])', legend: 'swapped in' },
            { expr: 'rate(node_vmstat_pswpout{$host}[$window])', legend: 'swapped out' },
        ],
    },
    {
        id: 'processes',
        title: 'Processes',
        help: 'Processes that could run right now, and those blocked in the kernel, mostly on disks.',
        unit: 'short',
        min: 0,
        queries: [
            { expr: 'node_procs_running{$host}', legend: 'running' },
            { expr: 'node_procs_blocked{$host}', legend: 'blocked' },
        ],
    },
];

export const selfPanels: readonly PanelDef[] = [
    {
        id: 'self-memory',
        title: 'Resident memory',
        help: 'Memory this server holds.',
        unit: 'bytes',
        min: 0,
        queries: [{ expr: 'process_resident_memory_bytes{$self}', legend: 'resident' }],
    },
    {
        id: 'self-cpu',
        title: 'CPU',
        help: 'Share of one core this server uses.',
        unit: 'percentunit',
        min: 0,
        queries: [{ expr: 'rate(process_cpu_seconds_total{$self}[$window])', legend: 'one core = 100%' }],
    },
    {
        id: 'self-ingest',
        title: 'Samples ingested',
        help: 'Samples stored a second, from scrapes and remote write together.',
        unit: 'short',
        min: 0,
        queries: [{ expr: 'sum(rate(nunchi_ingest_samples_total{$self,result="stored"}[$window]))', legend: 'samples/s' }],
    },
    {
        id: 'self-series',
        title: 'Active series',
        help: 'Series that have received samples lately.',
        unit: 'short',
        min: 0,
        queries: [{ expr: 'sum(nunchi_tsdb_head_series{$self})', legend: 'series' }],
    },
    {
        id: 'self-targets',
        title: 'Targets',
        help: 'Scraped targets that answer, and those that do not.',
        unit: 'short',
        min: 0,
        queries: [
            { expr: 'sum(up)', legend: 'up' },
            { expr: 'count(up) - sum(up)', legend: 'down' },
        ],
    },
    {
        id: 'self-scrapes',
        title: 'Scrape duration',
        help: 'How long the slowest target of each job takes to answer.',
        unit: 's',
        min: 0,
        queries: [{ expr: 'max by (job) (scrape_duration_seconds)', legend: '{{job}}' }],
    },
    {
        id: 'self-requests',
        title: 'HTTP requests',
        help: 'Requests answered a second; this page is some of them.',
        unit: 'reqps',
        min: 0,
        queries: [{ expr: 'sum(rate(nunchi_http_requests_total{$self}[$window]))', legend: 'requests' }],
    },
    {
        id: 'self-fsync',
        title: 'Durable commits',
        help: 'Times a second the write-ahead log was synced to disk before data was acknowledged.',
        unit: 'ops',
        min: 0,
        queries: [{ expr: 'sum(rate(nunchi_wal_syncs_total{$self}[$window]))', legend: 'fsync' }],
    },
    {
        id: 'self-fds',
        title: 'Open files',
        help: 'File descriptors this server has open: files, sockets, timers.',
        unit: 'short',
        min: 0,
        queries: [{ expr: 'process_open_fds{$self}', legend: 'open' }],
    },
    {
        id: 'self-queries',
        title: 'Samples read by queries',
        help: 'Samples that queries loaded a second. Dashboards and this page are most of it.',
        unit: 'short',
        min: 0,
        queries: [{ expr: 'sum(rate(nunchi_promql_samples_read_total{$self}[$window]))', legend: 'samples/s' }],
    },
    {
        id: 'self-head',
        title: 'Recent samples in memory',
        help: 'Memory of samples that are not sealed into a part yet. Near --storage.memory new series are refused.',
        unit: 'bytes',
        min: 0,
        queries: [{ expr: 'sum(nunchi_tsdb_head_bytes{$self})', legend: 'head' }],
    },
    {
        id: 'self-refused',
        title: 'Refused',
        help: 'HTTP requests and pieces of work turned away a second. Above zero a limit was reached: the status page lists them.',
        unit: 'ops',
        min: 0,
        queries: [
            { expr: 'sum(rate(nunchi_http_requests_refused_total{$self}[$window]))', legend: 'requests' },
            { expr: 'sum(rate(nunchi_pool_refused_total{$self}[$window]))', legend: 'work' },
        ],
    },
];
