// SPDX-License-Identifier: Apache-2.0

import { useEffect } from 'preact/hooks';

/** Names the tab; a screen reader announces it on navigation. */
export function usePageTitle(name: string): void {
    useEffect(() => {
        document.title = `${name} · nunchi`;
    }, [name]);
}
