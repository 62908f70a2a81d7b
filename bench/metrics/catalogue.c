// SPDX-License-Identifier: Apache-2.0
#include "catalogue.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DIM(var, label, decay, with, ...)                                                          \
    static const char *const var##_values[] = {__VA_ARGS__};                                       \
    static const struct dim var = {label, COUNT(var##_values), var##_values, decay, with}
#define NUMBERS(var, label, n, decay) static const struct dim var = {label, n, NULL, decay, NULL}

const double bucket_bounds[BUCKETS_N] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const char *const bucket_names[BUCKETS_N + 1] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                                 "0.5",   "1",    "2.5",   "5",    "10",  "+Inf"};

NUMBERS(cpu, "cpu", 4, 0);
DIM(cpu_mode, "mode", 2.5, NULL, "idle", "user", "system", "iowait", "softirq", "steal", "irq",
    "nice");
DIM(guest_mode, "mode", 0, NULL, "nice", "user");
DIM(disk, "device", 2, NULL, "nvme0n1", "nvme1n1", "sda", "sdb");
DIM(mount_type, "fstype", 0, NULL, "ext4", "ext4", "xfs", "vfat", "tmpfs", "tmpfs", "xfs");
DIM(mount_device, "device", 0, &mount_type, "/dev/nvme0n1p2", "/dev/nvme0n1p3", "/dev/sda1",
    "/dev/nvme0n1p1", "tmpfs", "run", "/dev/sdb1");
DIM(mount, "mountpoint", 1.5, &mount_device, "/", "/var", "/srv/data", "/boot/efi", "/run/lock",
    "/run", "/srv/backup");
DIM(nic, "device", 3, NULL, "eth0", "eth1", "lo", "cni0", "veth1f0c2a", "veth93be01", "veth0c77d1",
    "vetha41b36", "veth5e29f8", "docker0", "wg0", "bond0");
DIM(chip, "chip", 0, NULL, "platform_coretemp_0", "pci0000:00_0000:00_1f_2");
NUMBERS(sensor, "sensor", 8, 0);
DIM(pressure, "resource", 1, NULL, "cpu", "io", "memory");
DIM(unit, "name", 0, NULL, "apparmor.service", "apt-daily.service", "apt-daily.timer",
    "auditd.service", "blk-availability.service", "chrony.service", "console-setup.service",
    "containerd.service", "cron.service", "dbus.service", "docker.service", "docker.socket",
    "e2scrub_all.timer", "emergency.service", "fstrim.service", "fstrim.timer",
    "getty@tty1.service", "ifupdown.service", "keyboard-setup.service", "kmod-static-nodes.service",
    "kubelet.service", "logrotate.service", "logrotate.timer", "man-db.timer", "multipathd.service",
    "networking.service", "nginx.service", "node-exporter.service", "polkit.service",
    "rescue.service", "rsyslog.service", "ssh.service", "ssh.socket", "systemd-journald.service",
    "systemd-logind.service", "systemd-networkd.service", "systemd-resolved.service",
    "systemd-sysctl.service", "systemd-timesyncd.service", "systemd-tmpfiles-clean.timer",
    "systemd-udevd.service", "systemd-update-utmp.service", "unattended-upgrades.service",
    "user@1000.service", "uuidd.socket");
DIM(unit_state, "state", 0, NULL, "activating", "active", "deactivating", "failed", "inactive");
DIM(collector, "collector", 0, NULL, "cpu", "diskstats", "filesystem", "hwmon", "meminfo",
    "netclass", "netdev", "stat", "systemd");
DIM(quantile, "quantile", 0, NULL, "0", "0.25", "0.5", "0.75", "1");
NUMBERS(node_info, "nodename", 1, 0);

DIM(method, "method", 2, NULL, "GET", "POST");
DIM(handler, "handler", 1.1, NULL, "/api/v1/items", "/api/v1/items/:id", "/api/v1/cart",
    "/api/v1/orders", "/api/v1/orders/:id", "/api/v1/search", "/api/v1/users/:id", "/login",
    "/logout", "/healthz", "/metrics", "/api/v1/payments", "/api/v1/stock", "/api/v1/reviews",
    "/static/*", "/admin/reports");
DIM(status, "status", 3, NULL, "200", "404", "400", "500");
DIM(rpc, "grpc_method", 1.2, NULL, "GetItem", "ListItems", "Reserve", "Charge", "Quote", "Refund");
DIM(rpc_service, "grpc_service", 0.5, NULL, "shop.Inventory", "shop.Billing");
DIM(table, "table", 1, NULL, "items", "orders", "users", "stock", "payments", "sessions");
DIM(operation, "op", 1, NULL, "select", "update");
DIM(cache, "cache", 1, NULL, "item", "price", "session", "user", "page", "rate_limit");
DIM(queue, "queue", 1, NULL, "mail", "invoice", "index", "webhook", "audit", "retry");
DIM(worker, "pool", 0.5, NULL, "http", "mail", "index", "batch", "audit", "stream");
DIM(database, "db", 1, NULL, "main", "replica", "audit");
DIM(model, "model", 0, NULL, "ranking", "fraud", "eta");
DIM(version, "version", 0, NULL, "1.27.3");

#define ONE                                                                                        \
    {                                                                                              \
        NULL                                                                                       \
    }
#define MIB 1048576.0
#define GIB 1073741824.0
#define CONST(name, dims, v)                                                                       \
    {                                                                                              \
        name, CONSTANT, dims, v, 0, 0, 0, 0                                                        \
    }
#define COUNT_UP(name, dims, per_scrape)                                                           \
    {                                                                                              \
        name, COUNTER, dims, 0, per_scrape, 0, 0, 0                                                \
    }
#define COUNT_DECIMAL(name, dims, per_scrape, digits)                                              \
    {                                                                                              \
        name, COUNTER, dims, 0, per_scrape, 0, 0, digits                                           \
    }
#define WALK(name, dims, base, step, often, unit)                                                  \
    {                                                                                              \
        name, GAUGE, dims, base, step, often, unit, 0                                              \
    }
#define WALK_DECIMAL(name, dims, base, step, often, digits)                                        \
    {                                                                                              \
        name, GAUGE, dims, base, step, often, 0, digits                                            \
    }
#define NOISY(name, dims, base)                                                                    \
    {                                                                                              \
        name, NOISE, dims, base, 0, 0, 0, 0                                                        \
    }
#define DIMS(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const struct family node_rows[] = {
    COUNT_DECIMAL("node_cpu_seconds_total", DIMS(&cpu, &cpu_mode), 1200, 2),
    CONST("node_cpu_guest_seconds_total", DIMS(&cpu, &guest_mode), 0),
    WALK("node_cpu_scaling_frequency_hertz", DIMS(&cpu), 2.4e9, 4e8, 0.9, 1000),
    CONST("node_cpu_scaling_frequency_max_hertz", DIMS(&cpu), 3.6e9),
    CONST("node_cpu_scaling_frequency_min_hertz", DIMS(&cpu), 8e8),
    CONST("node_cpu_isolated", DIMS(&cpu), 0),
    CONST("node_cpu_core_throttles_total", DIMS(&cpu), 0),
    COUNT_DECIMAL("node_schedstat_running_seconds_total", DIMS(&cpu), 2.7e9, 9),
    COUNT_DECIMAL("node_schedstat_waiting_seconds_total", DIMS(&cpu), 9e7, 9),
    COUNT_UP("node_schedstat_timeslices_total", DIMS(&cpu), 8000),
    COUNT_UP("node_softnet_processed_total", DIMS(&cpu), 2500),
    CONST("node_softnet_dropped_total", DIMS(&cpu), 0),
    COUNT_UP("node_softnet_times_squeezed_total", DIMS(&cpu), 0.05),
    CONST("node_softnet_backlog_len", DIMS(&cpu), 0),

    COUNT_UP("node_disk_reads_completed_total", DIMS(&disk), 40),
    COUNT_UP("node_disk_reads_merged_total", DIMS(&disk), 4),
    WALK("node_disk_io_now", DIMS(&disk), 0, 2, 0.1, 1),
    COUNT_UP("node_disk_read_sectors_total", DIMS(&disk), 1600),
    COUNT_DECIMAL("node_disk_read_time_seconds_total", DIMS(&disk), 35, 3),
    COUNT_UP("node_disk_writes_completed_total", DIMS(&disk), 900),
    COUNT_UP("node_disk_writes_merged_total", DIMS(&disk), 400),
    COUNT_UP("node_disk_written_sectors_total", DIMS(&disk), 24000),
    COUNT_DECIMAL("node_disk_write_time_seconds_total", DIMS(&disk), 1500, 3),
    COUNT_DECIMAL("node_disk_io_time_seconds_total", DIMS(&disk), 1100, 3),
    COUNT_DECIMAL("node_disk_io_time_weighted_seconds_total", DIMS(&disk), 1700, 3),
    CONST("node_disk_discards_completed_total", DIMS(&disk), 0),
    CONST("node_disk_discards_merged_total", DIMS(&disk), 0),
    CONST("node_disk_discarded_sectors_total", DIMS(&disk), 0),
    COUNT_UP("node_disk_flush_requests_total", DIMS(&disk), 90),
    COUNT_DECIMAL("node_disk_flush_requests_time_seconds_total", DIMS(&disk), 60, 3),
    CONST("node_disk_info", DIMS(&disk), 1),

    WALK("node_filesystem_avail_bytes", DIMS(&mount), 80 * GIB, 40 * MIB, 0.3, 4096),
    WALK("node_filesystem_free_bytes", DIMS(&mount), 90 * GIB, 40 * MIB, 0.3, 4096),
    CONST("node_filesystem_size_bytes", DIMS(&mount), 250 * GIB),
    CONST("node_filesystem_files", DIMS(&mount), 16384000),
    WALK("node_filesystem_files_free", DIMS(&mount), 15800000, 40, 0.3, 1),
    CONST("node_filesystem_readonly", DIMS(&mount), 0),
    CONST("node_filesystem_device_error", DIMS(&mount), 0),

    COUNT_UP("node_network_receive_bytes_total", DIMS(&nic), 2e7),
    COUNT_UP("node_network_receive_packets_total", DIMS(&nic), 30000),
    CONST("node_network_receive_errs_total", DIMS(&nic), 0),
    COUNT_UP("node_network_receive_drop_total", DIMS(&nic), 0.2),
    CONST("node_network_receive_fifo_total", DIMS(&nic), 0),
    CONST("node_network_receive_frame_total", DIMS(&nic), 0),
    CONST("node_network_receive_compressed_total", DIMS(&nic), 0),
    COUNT_UP("node_network_receive_multicast_total", DIMS(&nic), 3),
    COUNT_UP("node_network_transmit_bytes_total", DIMS(&nic), 1.3e7),
    COUNT_UP("node_network_transmit_packets_total", DIMS(&nic), 24000),
    CONST("node_network_transmit_errs_total", DIMS(&nic), 0),
    CONST("node_network_transmit_drop_total", DIMS(&nic), 0),
    CONST("node_network_transmit_fifo_total", DIMS(&nic), 0),
    CONST("node_network_transmit_colls_total", DIMS(&nic), 0),
    CONST("node_network_transmit_carrier_total", DIMS(&nic), 0),
    CONST("node_network_transmit_compressed_total", DIMS(&nic), 0),
    CONST("node_network_up", DIMS(&nic), 1),
    CONST("node_network_mtu_bytes", DIMS(&nic), 1500),
    CONST("node_network_speed_bytes", DIMS(&nic), 1.25e9),
    CONST("node_network_carrier", DIMS(&nic), 1),
    CONST("node_network_carrier_changes_total", DIMS(&nic), 2),
    CONST("node_network_flags", DIMS(&nic), 4099),
    CONST("node_network_iface_id", DIMS(&nic), 2),
    CONST("node_network_transmit_queue_length", DIMS(&nic), 1000),

    CONST("node_memory_MemTotal_bytes", ONE, 64 * GIB),
    WALK("node_memory_MemFree_bytes", ONE, 9 * GIB, 60 * MIB, 1, 4096),
    WALK("node_memory_MemAvailable_bytes", ONE, 40 * GIB, 60 * MIB, 1, 4096),
    WALK("node_memory_Buffers_bytes", ONE, 1.2 * GIB, MIB / 8, 0.8, 4096),
    WALK("node_memory_Cached_bytes", ONE, 28 * GIB, 8 * MIB, 1, 4096),
    CONST("node_memory_SwapCached_bytes", ONE, 0),
    WALK("node_memory_Active_bytes", ONE, 21 * GIB, 50 * MIB, 1, 4096),
    WALK("node_memory_Inactive_bytes", ONE, 30 * GIB, 30 * MIB, 1, 4096),
    WALK("node_memory_Active_anon_bytes", ONE, 12 * GIB, 50 * MIB, 1, 4096),
    WALK("node_memory_Inactive_anon_bytes", ONE, MIB * 20, MIB, 0.2, 4096),
    WALK("node_memory_Active_file_bytes", ONE, 9 * GIB, 6 * MIB, 0.7, 4096),
    WALK("node_memory_Inactive_file_bytes", ONE, 20 * GIB, 8 * MIB, 0.9, 4096),
    CONST("node_memory_Unevictable_bytes", ONE, 24 * MIB),
    CONST("node_memory_Mlocked_bytes", ONE, 24 * MIB),
    CONST("node_memory_SwapTotal_bytes", ONE, 0),
    CONST("node_memory_SwapFree_bytes", ONE, 0),
    WALK("node_memory_Dirty_bytes", ONE, 3 * MIB, MIB, 1, 4096),
    WALK("node_memory_Writeback_bytes", ONE, 0, MIB / 8, 0.05, 4096),
    WALK("node_memory_AnonPages_bytes", ONE, 12 * GIB, 50 * MIB, 1, 4096),
    WALK("node_memory_Mapped_bytes", ONE, 1.5 * GIB, 2 * MIB, 0.6, 4096),
    WALK("node_memory_Shmem_bytes", ONE, 40 * MIB, MIB, 0.1, 4096),
    WALK("node_memory_KReclaimable_bytes", ONE, 3 * GIB, MIB, 0.9, 4096),
    WALK("node_memory_Slab_bytes", ONE, 4 * GIB, MIB, 0.9, 4096),
    WALK("node_memory_SReclaimable_bytes", ONE, 3 * GIB, MIB, 0.9, 4096),
    WALK("node_memory_SUnreclaim_bytes", ONE, GIB, MIB / 2, 0.8, 4096),
    WALK("node_memory_KernelStack_bytes", ONE, 30 * MIB, MIB / 4, 0.7, 16384),
    WALK("node_memory_PageTables_bytes", ONE, 140 * MIB, MIB, 0.7, 4096),
    CONST("node_memory_NFS_Unstable_bytes", ONE, 0),
    CONST("node_memory_Bounce_bytes", ONE, 0),
    CONST("node_memory_WritebackTmp_bytes", ONE, 0),
    CONST("node_memory_CommitLimit_bytes", ONE, 32 * GIB),
    WALK("node_memory_Committed_AS_bytes", ONE, 31 * GIB, 60 * MIB, 1, 4096),
    CONST("node_memory_VmallocTotal_bytes", ONE, 35184372087808.0),
    WALK("node_memory_VmallocUsed_bytes", ONE, 200 * MIB, MIB / 4, 0.2, 4096),
    CONST("node_memory_VmallocChunk_bytes", ONE, 0),
    WALK("node_memory_Percpu_bytes", ONE, 120 * MIB, MIB / 4, 0.05, 4096),
    CONST("node_memory_HardwareCorrupted_bytes", ONE, 0),
    WALK("node_memory_AnonHugePages_bytes", ONE, 4 * GIB, 8 * MIB, 0.3, 2 * MIB),
    CONST("node_memory_HugePages_Total", ONE, 0),
    CONST("node_memory_HugePages_Free", ONE, 0),
    CONST("node_memory_Hugepagesize_bytes", ONE, 2 * MIB),
    WALK("node_memory_DirectMap4k_bytes", ONE, 900 * MIB, 2 * MIB, 0.01, 2 * MIB),
    WALK("node_memory_DirectMap2M_bytes", ONE, 60 * GIB, 2 * MIB, 0.01, 2 * MIB),
    CONST("node_memory_DirectMap1G_bytes", ONE, 4 * GIB),

    COUNT_UP("node_netstat_Icmp_InMsgs", ONE, 1),
    COUNT_UP("node_netstat_Icmp_OutMsgs", ONE, 1),
    CONST("node_netstat_Icmp6_InErrors", ONE, 0),
    COUNT_UP("node_netstat_IpExt_InOctets", ONE, 3e7),
    COUNT_UP("node_netstat_IpExt_OutOctets", ONE, 2e7),
    CONST("node_netstat_Ip_Forwarding", ONE, 1),
    CONST("node_netstat_TcpExt_ListenDrops", ONE, 0),
    CONST("node_netstat_TcpExt_ListenOverflows", ONE, 0),
    CONST("node_netstat_TcpExt_SyncookiesFailed", ONE, 0),
    COUNT_UP("node_netstat_TcpExt_TCPSynRetrans", ONE, 0.4),
    COUNT_UP("node_netstat_TcpExt_TCPTimeouts", ONE, 0.4),
    COUNT_UP("node_netstat_Tcp_ActiveOpens", ONE, 60),
    COUNT_UP("node_netstat_Tcp_PassiveOpens", ONE, 80),
    WALK("node_netstat_Tcp_CurrEstab", ONE, 180, 6, 0.8, 1),
    COUNT_UP("node_netstat_Tcp_InSegs", ONE, 28000),
    COUNT_UP("node_netstat_Tcp_OutSegs", ONE, 34000),
    COUNT_UP("node_netstat_Tcp_OutRsts", ONE, 8),
    COUNT_UP("node_netstat_Tcp_RetransSegs", ONE, 2),
    COUNT_UP("node_netstat_Udp_InDatagrams", ONE, 300),
    COUNT_UP("node_netstat_Udp_NoPorts", ONE, 0.1),
    COUNT_UP("node_netstat_Udp_OutDatagrams", ONE, 320),
    CONST("node_netstat_Udp_RcvbufErrors", ONE, 0),
    CONST("node_netstat_UdpLite_InErrors", ONE, 0),
    WALK("node_sockstat_TCP_alloc", ONE, 260, 6, 0.8, 1),
    WALK("node_sockstat_TCP_inuse", ONE, 190, 5, 0.8, 1),
    WALK("node_sockstat_TCP_tw", ONE, 120, 15, 0.9, 1),
    WALK("node_sockstat_TCP_mem", ONE, 90, 12, 0.8, 1),
    WALK("node_sockstat_TCP_mem_bytes", ONE, 368640, 49152, 0.8, 4096),
    WALK("node_sockstat_UDP_inuse", ONE, 12, 1, 0.05, 1),
    WALK("node_sockstat_sockets_used", ONE, 640, 8, 0.8, 1),
    CONST("node_sockstat_RAW_inuse", ONE, 0),
    CONST("node_sockstat_FRAG_inuse", ONE, 0),

    COUNT_UP("node_vmstat_pgfault", ONE, 90000),
    COUNT_UP("node_vmstat_pgmajfault", ONE, 0.3),
    COUNT_UP("node_vmstat_pgpgin", ONE, 900),
    COUNT_UP("node_vmstat_pgpgout", ONE, 15000),
    CONST("node_vmstat_oom_kill", ONE, 0),
    CONST("node_vmstat_pswpin", ONE, 0),
    CONST("node_vmstat_pswpout", ONE, 0),
    COUNT_UP("node_context_switches_total", ONE, 160000),
    COUNT_UP("node_forks_total", ONE, 60),
    COUNT_UP("node_intr_total", ONE, 90000),
    WALK("node_procs_running", ONE, 2, 3, 0.7, 1),
    WALK("node_procs_blocked", ONE, 0, 1, 0.1, 1),
    CONST("node_entropy_available_bits", ONE, 256),
    WALK("node_filefd_allocated", ONE, 5200, 64, 0.8, 32),
    CONST("node_filefd_maximum", ONE, 9223372036854775807.0),
    WALK("node_arp_entries", DIMS(&nic), 9, 1, 0.01, 1),
    WALK("node_nf_conntrack_entries", ONE, 900, 30, 0.9, 1),
    CONST("node_nf_conntrack_entries_limit", ONE, 262144),
    {"node_boot_time_seconds", STARTED, ONE, 0, 0, 0, 0, 0},
    {"node_time_seconds", CLOCK, ONE, 0, 0, 0, 0, 0},
    WALK_DECIMAL("node_load1", ONE, 310, 45, 1, 2),
    WALK_DECIMAL("node_load5", ONE, 300, 12, 1, 2),
    WALK_DECIMAL("node_load15", ONE, 290, 5, 0.9, 2),
    WALK_DECIMAL("node_hwmon_temp_celsius", DIMS(&chip, &sensor), 47, 2, 0.4, 0),
    CONST("node_hwmon_temp_max_celsius", DIMS(&chip, &sensor), 84),
    CONST("node_hwmon_temp_crit_celsius", DIMS(&chip, &sensor), 100),
    COUNT_DECIMAL("node_pressure_waiting_seconds_total", DIMS(&pressure), 90000, 6),
    COUNT_DECIMAL("node_pressure_stalled_seconds_total", DIMS(&pressure), 20000, 6),
    NOISY("node_timex_offset_seconds", ONE, 2e-5),
    NOISY("node_timex_frequency_adjustment_ratio", ONE, 1.0000123),
    CONST("node_timex_maxerror_seconds", ONE, 0.0005),
    CONST("node_timex_sync_status", ONE, 1),
    CONST("node_timex_tick_seconds", ONE, 0.01),
    CONST("node_timex_tai_offset_seconds", ONE, 37),
    CONST("node_timex_status", ONE, 8193),
    CONST("node_uname_info", DIMS(&node_info), 1),
    CONST("node_exporter_build_info", ONE, 1),
    CONST("node_systemd_unit_state", DIMS(&unit, &unit_state), 0),
    NOISY("node_scrape_collector_duration_seconds", DIMS(&collector), 2e-4),
    CONST("node_scrape_collector_success", DIMS(&collector), 1),
    CONST("node_textfile_scrape_error", ONE, 0),
    CONST("up", ONE, 1),
    NOISY("scrape_duration_seconds", ONE, 0.03),
    CONST("scrape_samples_scraped", ONE, 910),
    CONST("scrape_samples_post_metric_relabeling", ONE, 910),
    CONST("scrape_series_added", ONE, 0),
};

/* What a Go program says of itself. */
#define GO_ROWS                                                                                    \
    NOISY("go_gc_duration_seconds", DIMS(&quantile), 1e-4),                                        \
        COUNT_UP("go_gc_duration_seconds_count", ONE, 2),                                          \
        WALK("go_goroutines", ONE, 140, 9, 0.8, 1), CONST("go_info", ONE, 1),                      \
        WALK("go_memstats_alloc_bytes", ONE, 9e7, 2e7, 1, 8),                                      \
        COUNT_UP("go_memstats_alloc_bytes_total", ONE, 6e7),                                       \
        WALK("go_memstats_buck_hash_sys_bytes", ONE, 1.5e6, 400, 0.03, 1),                         \
        COUNT_UP("go_memstats_frees_total", ONE, 500000),                                          \
        WALK("go_memstats_gc_sys_bytes", ONE, 9e6, 50000, 0.1, 8),                                 \
        WALK("go_memstats_heap_alloc_bytes", ONE, 9e7, 2e7, 1, 8),                                 \
        WALK("go_memstats_heap_idle_bytes", ONE, 6e7, 1e7, 1, 8192),                               \
        WALK("go_memstats_heap_inuse_bytes", ONE, 1e8, 1e7, 1, 8192),                              \
        WALK("go_memstats_heap_objects", ONE, 600000, 90000, 1, 1),                                \
        WALK("go_memstats_heap_released_bytes", ONE, 2e7, 4e6, 0.5, 8192),                         \
        CONST("go_memstats_heap_sys_bytes", ONE, 167772160),                                       \
        {"go_memstats_last_gc_time_seconds", CLOCK, ONE, 0, 0, 0, 0, 0},                           \
        COUNT_UP("go_memstats_mallocs_total", ONE, 500000),                                        \
        CONST("go_memstats_mcache_inuse_bytes", ONE, 19200),                                       \
        WALK("go_memstats_next_gc_bytes", ONE, 1.4e8, 1e7, 0.8, 8),                                \
        WALK("go_memstats_stack_inuse_bytes", ONE, 2e6, 65536, 0.3, 32768),                        \
        CONST("go_memstats_sys_bytes", ONE, 190000000), WALK("go_threads", ONE, 24, 1, 0.01, 1),   \
        COUNT_DECIMAL("process_cpu_seconds_total", ONE, 300, 2),                                   \
        CONST("process_max_fds", ONE, 1048576), WALK("process_open_fds", ONE, 90, 5, 0.7, 1),      \
        WALK("process_resident_memory_bytes", ONE, 2e8, 2e6, 0.7, 4096),                           \
        {"process_start_time_seconds", STARTED, ONE, 0, 0, 0, 0, 0},                               \
        WALK("process_virtual_memory_bytes", ONE, 1.9e9, 65536, 0.05, 4096)

static const struct family app_rows[] = {
    {"http_request_duration_seconds", HISTOGRAM, DIMS(&method, &handler), 0, 400, 0, 0, 0},
    COUNT_UP("http_requests_total", DIMS(&method, &handler, &status), 400),
    COUNT_UP("http_response_size_bytes_total", DIMS(&method, &handler), 900000),
    WALK("http_requests_in_flight", DIMS(&handler), 2, 2, 0.5, 1),
    {"grpc_client_handling_seconds", HISTOGRAM, DIMS(&rpc, &rpc_service), 0, 120, 0, 0, 0},
    COUNT_UP("grpc_client_started_total", DIMS(&rpc, &rpc_service), 120),
    {"db_query_duration_seconds", HISTOGRAM, DIMS(&table, &operation), 0, 200, 0, 0, 0},
    WALK("db_pool_connections_open", DIMS(&database), 20, 1, 0.1, 1),
    WALK("db_pool_connections_idle", DIMS(&database), 12, 3, 0.7, 1),
    COUNT_UP("db_pool_waits_total", DIMS(&database), 0.4),
    COUNT_UP("cache_hits_total", DIMS(&cache), 900),
    COUNT_UP("cache_misses_total", DIMS(&cache), 60),
    WALK("cache_entries", DIMS(&cache), 40000, 50, 0.9, 1),
    NOISY("cache_hit_ratio", DIMS(&cache), 0.93),
    WALK("queue_depth", DIMS(&queue), 6, 4, 0.5, 1),
    NOISY("queue_oldest_message_age_seconds", DIMS(&queue), 3),
    COUNT_UP("queue_messages_processed_total", DIMS(&queue), 90),
    WALK("worker_threads", DIMS(&worker), 8, 1, 0.02, 1),
    NOISY("worker_busy_ratio", DIMS(&worker), 0.4),
    WALK_DECIMAL("worker_wait_milliseconds", DIMS(&model), 120, 40, 1, 1),
    NOISY("model_score_mean", DIMS(&model), 0.7),
    CONST("app_build_info", DIMS(&version), 1),
    CONST("app_feature_enabled", DIMS(&worker), 1),
    GO_ROWS,
    CONST("up", ONE, 1),
    NOISY("scrape_duration_seconds", ONE, 0.02),
    CONST("scrape_samples_scraped", ONE, 1080),
    CONST("scrape_samples_post_metric_relabeling", ONE, 1080),
    CONST("scrape_series_added", ONE, 0),
};

const struct families catalogue[JOB_N] = {
    [JOB_NODE] = {node_rows, COUNT(node_rows)},
    [JOB_APP] = {app_rows, COUNT(app_rows)},
};

size_t family_series(const struct family *f)
{
    size_t n = f->kind == HISTOGRAM ? BUCKETS_N + 3 : 1;
    for (size_t i = 0; i < COUNT(f->dims); i++)
        if (f->dims[i])
            n *= f->dims[i]->n;
    return n;
}

size_t catalogue_series(void)
{
    size_t n = 0;
    for (int job = 0; job < JOB_N; job++)
        for (size_t i = 0; i < catalogue[job].n; i++)
            n += family_series(&catalogue[job].rows[i]);
    return n;
}
