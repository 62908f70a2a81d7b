// SPDX-License-Identifier: Apache-2.0
export default function Status() { return <main class="page"><h1>Status</h1></main>; }
