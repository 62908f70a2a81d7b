// SPDX-License-Identifier: Apache-2.0
export default function Targets() { return <main class="page"><h1>Targets</h1></main>; }
