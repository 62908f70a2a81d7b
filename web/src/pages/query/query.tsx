// SPDX-License-Identifier: Apache-2.0
export default function Query() { return <main class="page"><h1>Query</h1></main>; }
