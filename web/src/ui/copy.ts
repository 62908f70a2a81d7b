// SPDX-License-Identifier: Apache-2.0

import { toast } from './toast.tsx';

/** Browsers give the clipboard to secure pages only; elsewhere a hidden field that is copied from still works. */
async function put(text: string): Promise<boolean> {
    if (navigator.clipboard !== undefined) {
        return navigator.clipboard.writeText(text).then(
            () => true,
            () => false,
        );
    }
    const field = document.createElement('textarea');
    field.value = text;
    field.className = 'visually-hidden';
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
}

/** Copies and says so: `what` begins the sentence, as in "Link copied". */
export function copy(text: string, what: string): void {
    void put(text).then((done) => toast(done ? `${what} copied` : 'The browser did not allow copying'));
}
