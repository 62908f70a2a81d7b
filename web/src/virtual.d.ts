// SPDX-License-Identifier: Apache-2.0

declare module 'virtual:licences' {
    const list: { name: string; version: string; licence: string }[];
    export default list;
}
