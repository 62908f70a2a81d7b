// SPDX-License-Identifier: Apache-2.0
//
// Where the application is mounted. The server may run under a path prefix that this build does not
// know, so the prefix is read back from the address a chunk was loaded from: all chunks are in
// `<prefix>assets/`.

export const basePath: string = import.meta.env.DEV
    ? '/'
    : new URL(/* @vite-ignore */ '../', import.meta.url).pathname;
