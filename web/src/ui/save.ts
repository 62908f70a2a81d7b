// SPDX-License-Identifier: Apache-2.0

/** Hands a text to the browser as a file. */
export function saveText(name: string, type: string, text: string): void {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = document.createElement('a');
    link.href = address;
    link.download = name;
    link.click();
    // The browser has to have begun reading before the address goes.
    window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
