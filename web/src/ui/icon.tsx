// SPDX-License-Identifier: Apache-2.0

const paths = {
    home: 'M4 11l8-7 8 7M6 9.5V20h12V9.5M10 20v-6h4v6',
    query: 'M4 18l5-6-5-6M12 18h8',
    targets: 'M12 4v3M12 17v3M4 12h3M17 12h3M12 8a4 4 0 100 8 4 4 0 000-8z',
    status: 'M4 6h16v5H4zM4 13h16v5H4zM7.5 8.5h.01M7.5 15.5h.01M11 8.5h6M11 15.5h6',
    clock: 'M12 4a8 8 0 100 16 8 8 0 000-16zM12 8v4.5l3 1.5',
    refresh: 'M19.5 12a7.5 7.5 0 11-2.2-5.3L20 9M20 4v5h-5',
    pause: 'M9 6v12M15 6v12',
    play: 'M8 5.5v13l10-6.5z',
    moon: 'M19.5 14.5A8 8 0 019.5 4.5a8 8 0 1010 10z',
    sun: 'M12 8a4 4 0 100 8 4 4 0 000-8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1',
    auto: 'M12 4a8 8 0 100 16 8 8 0 000-16zM12 4v16M12 8h3.5M12 12h8M12 16h3.5',
    help: 'M12 4a8 8 0 100 16 8 8 0 000-16zM9.7 9.7a2.4 2.4 0 114 2c-1 .8-1.7 1.2-1.7 2.3M12 16.5h.01',
    left: 'M14.5 6l-6 6 6 6',
    right: 'M9.5 6l6 6-6 6',
    down: 'M6.5 9.5l5.5 5.5 5.5-5.5',
    zoomOut: 'M10.5 4.5a6 6 0 100 12 6 6 0 000-12zM15 15l5 5M8 10.5h5',
    search: 'M10.5 4.5a6 6 0 100 12 6 6 0 000-12zM15 15l5 5',
    table: 'M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9',
    chart: 'M4 4v16h16M7.5 15l3.5-4.5 3 2.5 4.5-6',
    stack: 'M4 8l8-4 8 4-8 4zM4 12l8 4 8-4M4 16l8 4 8-4',
    plus: 'M12 5v14M5 12h14',
    close: 'M6 6l12 12M18 6L6 18',
    history: 'M4.5 12a7.5 7.5 0 107.5-7.5A7.5 7.5 0 006 7.5L4 9.5M4 4.5v5h5M12 8v4.5l3 1.5',
    tree: 'M5 5h6v4H5zM13 15h6v4h-6zM8 9v8h5',
    open: 'M14 4h6v6M20 4l-9 9M18 14v5a1 1 0 01-1 1H5a1 1 0 01-1-1V7a1 1 0 011-1h5',
    download: 'M12 4v11M7.5 10.5L12 15l4.5-4.5M5 19.5h14',
    link: 'M10 14a4 4 0 005.7 0l3-3a4 4 0 00-5.7-5.7l-1 1M14 10a4 4 0 00-5.7 0l-3 3a4 4 0 005.7 5.7l1-1',
    list: 'M9 6.5h11M9 12h11M9 17.5h11M4.5 6.5h.01M4.5 12h.01M4.5 17.5h.01',
    copy: 'M9 9h10v11H9zM15 9V4H5v11h4',
    warning: 'M12 4.5l8.5 15h-17zM12 10v4.5M12 17h.01',
    error: 'M12 4a8 8 0 100 16 8 8 0 000-16zM9 9l6 6M15 9l-6 6',
    ok: 'M12 4a8 8 0 100 16 8 8 0 000-16zM8.5 12.5l2.5 2.5 4.5-5.5',
    unknown: 'M12 4a8 8 0 100 16 8 8 0 000-16zM8 12h8',
} as const;

export type IconName = keyof typeof paths;

/** Decoration only: the control around it carries the name. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
    return (
        <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d={paths[name]} />
        </svg>
    );
}
